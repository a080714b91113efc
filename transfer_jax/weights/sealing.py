"""The digest of exported weights, which other libraries carry along and ignore.

It covers the tensors and our card, and stands in the metadata of a .safetensors file and in the
config beside the file. Keras' .h5 files have no metadata, so that for them the config counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core import digest
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights.formats import Raw

CARD, KEY = "transfer_jax", "transfer_jax_digest"


def of_export(tensors: Mapping[str, np.ndarray], card: Any) -> str:
    """Returns the digest of tensors, by their names in the file, and of a card as JSON."""
    return digest.of_json({"tensors": digest.of_tensors(dict(tensors)), "card": card})


def check(file: Path, raw: Raw, beside: Iterable[tuple[Path, Any]]) -> None:
    """Compares a file that this program exported with its digest; other files have none.

    Args:
      file: Path of the file.
      raw: Content of the file.
      beside: Configs beside the file, with their content.

    Raises:
      CheckpointError: The tensors or the card are not those that were exported.
    """
    if KEY in raw.metadata:
        stated, where, text = raw.metadata[KEY], file, raw.metadata.get(CARD, "null")
        try:
            card = json.loads(text)
        except (ValueError, RecursionError):
            card = text  # which matches no digest
    else:
        configs = [
            (path, value)
            for path, value in beside
            if raw.kind == "keras" and isinstance(value, dict) and KEY in value
        ]
        if not configs:
            return
        where, config = configs[0]
        stated, card = config[KEY], config.get(CARD)
    if stated != of_export(raw.tensors, card):
        raise CheckpointError(
            f"{file} is damaged or was changed: its tensors or its card do not match the digest in "
            f"{where}: export the weights again, or, if they were changed on purpose, take "
            f"{KEY!r} out of {where.name}"
        )
