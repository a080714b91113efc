"""Predictions of trained weights for the images of a prepared data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.data.storage.records import Records
from transfer_jax.data.stored_images import StoredImages
from transfer_jax.runs import trained
from transfer_jax.runs.trained import Trained

BATCH = 128  # images per device

# (variables, uint8 images [b, h, w, c]) -> log-odds [b, s], see `trained.scores`.
Scores = Callable[[Any, jax.Array], jax.Array]


class Predictions(NamedTuple):
    """Predictions of a network for n images.

    Attributes:
      ids: Names of the images, n of them.
      outputs: Name of an output -> log-odds [n]: of a label, or of "label=class" of a multiclass
        task.
    """

    ids: list[str]
    outputs: dict[str, Float[np.ndarray, " n"]]


def predict(path: str, network: str, folder: Path, splits: Sequence[str]) -> Predictions:
    """Returns the predictions of saved weights for the images of some splits.

    Args:
      path: Weights with a head and a card, as a study leaves them.
      network: Name of the network.
      folder: Folder of the prepared data set.
      splits: Splits of the data set.

    Raises:
      UserError: Weights, network and data do not go together, the card does not say what the
        outputs are, or the predictions are not finite.
    """
    network_with_weights = trained.read(path, network)
    outputs = network_with_weights.outputs()
    manifest = Manifest.read(folder)
    pool, images = open_images(network_with_weights, folder, manifest, splits)
    scores = finite_log_odds(
        trained.scores(network_with_weights.form, outputs), network_with_weights, images
    )
    columns = {name: scores[:, i] for i, name in enumerate(outputs.names())}
    return Predictions(pool.rows.ids[images.positions].tolist(), columns)


def open_images(
    network: Trained, folder: Path, manifest: Manifest, splits: Sequence[str]
) -> tuple[Records, StoredImages]:
    """Returns the records of some splits, and their images one split after the other.

    Raises:
      UserError: The network cannot take the images, or a split does not exist or is damaged.
    """
    network.check_images(folder, manifest)
    pool, positions = records.open_splits(folder, manifest, splits)
    rows = np.concatenate([positions[split] for split in splits])
    return pool, StoredImages(pool, rows, meshes.create(), per_device=BATCH)


def finite_log_odds(
    scores: Scores, network: Trained, images: StoredImages
) -> Float[np.ndarray, "n s"]:
    """Returns the scores of all images by a network.

    Args:
      scores: Function of `trained.scores`.
      network: The network.
      images: The images.

    Raises:
      AnalysisError: A score is not finite.
    """
    values = log_odds(scores, network.variables, images)
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).any(axis=1).sum())
        raise AnalysisError(
            f"{network.where} gives {count} of {len(values)} images predictions that are not "
            "finite: its training diverged, or its normalisation does not fit the images"
        )
    return values


def log_odds(scores: Scores, variables: Any, images: StoredImages) -> Float[np.ndarray, "n s"]:
    """Returns the scores of all images; they are fetched once all of them are computed.

    Args:
      scores: Function of `trained.scores`.
      variables: Variables of the network.
      images: The images.
    """
    variables = jax.device_put(variables)  # once, and not with every batch
    parts = [scores(variables, raw) for raw, _ in images]
    return np.concatenate([np.asarray(part) for part in parts])[: len(images)]
