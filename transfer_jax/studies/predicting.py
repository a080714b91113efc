"""What trained weights say about the images of a prepared data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError
from transfer_jax.data import records, spec
from transfer_jax.studies import trained
from transfer_jax.studies.shown import Shown

BATCH = 128  # images per device


class Predictions(NamedTuple):
    """What a network says of n images.

    Attributes:
      ids: Names of the images, n of them.
      outputs: Name of an output -> log-odds [n]: of a label, or of "label=class" of a multiclass task.
    """

    ids: list[str]
    outputs: dict[str, Float[np.ndarray, " n"]]


def predict(path: str, network: str, folder: Path, splits: Sequence[str]) -> Predictions:
    """Returns what saved weights say of the images of some splits.

    Args:
      path: of weights with a head and a card, as a study leaves them.
      network: its name.
      folder: of the prepared data set.
      splits: of the data set.

    Raises:
      UserError: Weights, network and data do not go together, the card does not say what the outputs
        are, or the predictions are not finite.
    """
    found = trained.read(path, network)
    outputs = found.outputs()
    manifest = spec.Manifest.read(folder)
    found.check_images(folder, manifest)
    images, positions = records.open_splits(folder, manifest, splits)
    wanted = np.concatenate([positions[split] for split in splits])
    shown = Shown(images, wanted, meshes.create(), per_device=BATCH)
    table = log_odds(trained.scores(found.form, outputs), found.variables, shown)
    if not np.isfinite(table).all():
        count = int((~np.isfinite(table)).any(axis=1).sum())
        raise AnalysisError(
            f"{found.where} gives {count} of {len(table)} images predictions that are not finite: its "
            "training diverged, or its normalisation does not fit the images"
        )
    return Predictions(images.rows.ids[wanted].tolist(), {name: table[:, i] for i, name in enumerate(outputs.names())})


def log_odds(scores: Callable[[Any, jax.Array], jax.Array], variables: Any, images: Shown) -> Float[np.ndarray, "n s"]:
    """Returns what `trained.scores` gives all images; fetched when all of them are computed."""
    given = [scores(variables, raw) for raw, _ in images]
    return np.concatenate([np.asarray(part) for part in given])[: len(images)]
