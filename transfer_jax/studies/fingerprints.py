"""Digests of what a study reads: the same digest means the same numbers, wherever it lies."""

from typing import Any

from transfer_jax.core import digest
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.sources import Pretrained

DATA, SOURCE_DATA, SOURCE = "data set", "source's data set", "source"


def of_data(opened: Opened | None, name: str = DATA) -> dict[str, str]:
    """Returns the digest of a data set and of the table of predictions read with it, by name.

    Args:
      opened: The data set; None for one that is not opened yet, which has no entry.
      name: Name of the data set in the study, for errors.
    """
    if opened is None:
        return {}
    content = {name: opened.manifest.digest}
    if opened.settings.predictions is not None:
        content[f"{name}'s table of predictions"] = digest.of_file(opened.settings.predictions)
    return content


def of_source(source: Pretrained | None) -> dict[str, str]:
    """Returns the digest of pretrained weights and of how their images are made.

    It is of what was read, and not of the file: the same weights in a file of another format are
    the same source. None, and a study without a source, have no entry.
    """
    if source is None or source.variables is None:
        return {}
    content: list[Any] = [digest.of_tensors(source.variables)]
    if source.card is not None:
        card = source.card
        content += [card.network, card.layout, dict(card.options), card.normalisation.to_json()]
    return {SOURCE: digest.of_json(content)}
