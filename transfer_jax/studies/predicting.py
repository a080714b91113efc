"""What trained weights say about the images of a prepared data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from transfer_jax.core import mesh as meshes
from transfer_jax.data import records, spec
from transfer_jax.studies import trained
from transfer_jax.studies.shown import Shown

BATCH = 128  # images per device


class Predictions(NamedTuple):
    """Probabilities of n images.

    Attributes:
      ids: names of the images, n.
      outputs: name of an output -> probabilities, [n]: a label's, or "label=class" of a multiclass task.
    """

    ids: list[str]
    outputs: dict[str, Float[np.ndarray, " n"]]


def predict(path: str, network: str, folder: Path, splits: Sequence[str]) -> Predictions:
    """The probabilities that saved weights give the images of some splits.

    Args:
      path: of weights with a head and a card, as a study leaves them.
      network: its name.
      folder: of the prepared data set.
      splits: of the data set.

    Raises:
      UserError: weights, network and data do not go together, or the card does not say what the outputs are.
    """
    found = trained.read(path, network)
    outputs = found.outputs()
    manifest = spec.Manifest.read(folder)
    found.check_images(folder, manifest)
    images, positions = records.open_splits(folder, manifest, splits)
    wanted = np.concatenate([positions[split] for split in splits])
    shown = Shown(images, wanted, meshes.create(), per_device=BATCH)
    table = probabilities(trained.scores(found.form, outputs), found.variables, shown)
    return Predictions(images.rows.ids[wanted].tolist(), {name: table[:, i] for i, name in enumerate(outputs.names())})


def probabilities(scores: Callable[[Any, jax.Array], jax.Array], variables: Any, images: Shown) -> Float[np.ndarray, "n s"]:
    """What `trained.scores` gives all images; fetched when all are there."""
    given = [scores(variables, raw) for raw, _ in images]
    return np.concatenate([np.asarray(part) for part in given])[: len(images)]
