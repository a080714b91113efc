"""What a study reads: pretrained weights from a file, and digests of data and weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from transfer_jax import weights
from transfer_jax.core import digest
from transfer_jax.core.errors import CheckpointError
from transfer_jax.data.dataset import Dataset, ImageSpec
from transfer_jax.runs import layout
from transfer_jax.settings import Study
from transfer_jax.settings.pretraining import WeightFile
from transfer_jax.weights import Card

DATA, SOURCE_DATA, SOURCE = "data set", "source's data set", "source"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pretrained:
    """What arms begin from.

    Attributes:
      variables: Pretrained variables, without a head where they come from a file: those of all
        repeats, or one per repeat; empty for a study without a source.
      card: Card of a weight file; None otherwise.
      history: Evaluations of the source's own training; empty otherwise.
    """

    variables: tuple[Any, ...] = ()
    card: Card | None = None
    history: tuple[dict[str, Any], ...] = ()

    def of(self, repeat: int) -> Any:
        """Returns the pretrained variables of a repeat; None for a study without a source."""
        return self.variables[repeat % len(self.variables)] if self.variables else None


def pretrained_network(study: Study) -> str:
    """Returns the name of the pretrained network: the study's, or the one that the source names."""
    return study.network if study.source.network is None else study.source.network


def pretrained_from_file(study: Study) -> Pretrained | None:
    """Returns the weights of a source of kind "weights", or None for other kinds.

    Raises:
      CheckpointError: The file is missing, damaged or dangerous, or is of another network or
        layout.
    """
    source, options = study.source.selected(), study.network_options
    if not isinstance(source, WeightFile):
        return None
    shapes: dict[str, Any] = {}
    if options.widths and source.network is None:
        shapes["widths"] = options.widths
    loaded = source.build(pretrained_network(study), options.channels, **shapes)
    if loaded.card.layout != options.layout:
        raise CheckpointError(
            f"{source.path} holds weights of the layout {loaded.card.layout!r}, the study's"
            f" network has {options.layout!r}: set"
            f" config.network_options.layout={loaded.card.layout}"
        )
    return Pretrained(variables=(loaded.variables,), card=loaded.card)


def pretrained_of_study(study: Study, folder: Path) -> Pretrained:
    """Returns the weights that the study's own pretraining left in its folder.

    Raises:
      CheckpointError: They are missing or damaged.
    """
    places = [layout.source_weights(folder, repeat) for repeat in sources(study)]
    network = pretrained_network(study)
    return Pretrained(variables=tuple(weights.load(place, network) for place in places))


def sources(study: Study) -> tuple[int | None, ...]:
    """Returns the repeats that have a pretraining of their own, or None for one that serves all."""
    return tuple(range(study.repeats)) if study.source.per_repeat else (None,)


def image_spec(study: Study, pretrained: Pretrained | None) -> ImageSpec:
    """Returns what the study's network requires of its images."""
    card = pretrained.card if pretrained is not None else None
    return ImageSpec(
        network=study.network,
        channels=study.network_options.channels,
        normalisation=None if card is None else card.normalisation,
    )


def source_image_spec(study: Study) -> ImageSpec:
    """Returns what the network of a source that is to be trained requires of its images."""
    return ImageSpec(network=pretrained_network(study), channels=study.network_options.channels)


def digests_of_data(dataset: Dataset | None, name: str = DATA) -> dict[str, str]:
    """Returns the digests of a data set and of the table of predictions read with it, by name.

    Args:
      dataset: The data set; None for one that is not opened yet, which has no entry.
      name: Name of the data set in the study, for errors.
    """
    if dataset is None:
        return {}
    digests = {name: dataset.manifest.digest}
    if dataset.config.predictions is not None:
        digests[f"{name}'s table of predictions"] = digest.of_file(dataset.config.predictions)
    return digests


def digests_of_source(source: Pretrained | None) -> dict[str, str]:
    """Returns the digest of pretrained weights and of how their images are made.

    It is a digest of what was read, not of the file: the same weights in a file of another format
    are the same source. A study without a source has no entry.
    """
    if source is None or not source.variables:
        return {}
    content: list[Any] = [digest.of_tensors(variables) for variables in source.variables]
    if source.card is not None:
        card = source.card
        content += [card.network, card.layout, dict(card.options), card.normalisation.to_json()]
    return {SOURCE: digest.of_json(content)}
