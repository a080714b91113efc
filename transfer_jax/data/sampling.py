"""Against unbalanced classes: over-sampling, under-sampling, and weights of the loss."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from transfer_jax.data.order import Draw, Positions
from transfer_jax.data.task import Targets

METHODS = ("none", "over", "under", "weights")


def over(rows: Positions, classes: Int[np.ndarray, " n"]) -> tuple[Draw, int]:
    """Rows of smaller classes come several times an epoch, so that all classes are as frequent as the largest.

    Every row comes at least once; what does not divide evenly is drawn anew each epoch.

    Args:
      rows: n of them.
      classes: their classes.

    Returns:
      The draw of an epoch, and an epoch's length.
    """
    groups = _groups(rows, classes)
    most = max(len(group) for group in groups)

    def draw(rng: np.random.Generator) -> Positions:
        filled = [np.concatenate([np.tile(group, most // len(group)), rng.choice(group, most % len(group), replace=False)]) for group in groups]
        return rng.permutation(np.concatenate(filled))

    return draw, most * len(groups)


def under(rows: Positions, classes: Int[np.ndarray, " n"]) -> tuple[Draw, int]:
    """Only as many rows of each class as the smallest has, another choice each epoch. Arguments and result as in `over`."""
    groups = _groups(rows, classes)
    least = min(len(group) for group in groups)

    def draw(rng: np.random.Generator) -> Positions:
        return rng.permutation(np.concatenate([rng.choice(group, least, replace=False) for group in groups]))

    return draw, least * len(groups)


def weights(classes: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """A weight for each image, so that all classes weigh the same and the mean weight is one: n / (number of classes x images of the class)."""
    _, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return (len(classes) / (len(counts) * counts))[codes]


def target_weights(targets: Targets, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "n t"]:
    """A factor for every position and target, so that among `rows` the classes of each target weigh the same; one elsewhere."""
    factors = np.ones_like(targets.weights)
    for column in range(factors.shape[1]):
        own = rows[targets.weights[rows, column] != 0]
        factors[own, column] = weights(targets.values[own, column].round().astype(int))
    return factors


def _groups(rows: np.ndarray, classes: np.ndarray) -> list[np.ndarray]:
    return [rows[classes == value] for value in np.unique(classes)]
