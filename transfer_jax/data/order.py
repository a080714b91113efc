"""Which images are in which batch, and how much they weigh where classes are unbalanced.

The order is a function of a seed and the number of the batch alone. So it is the same in every
mode of reading and on every number of devices and processes, and a training is resumed exactly by
the number of batches it has seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from transfer_jax.core.processes import Share
from transfer_jax.data.task import Targets

Positions = Int[np.ndarray, " n"]
Draw = Callable[[np.random.Generator], Positions]

# Remedies for unbalanced classes: over-sampling, under-sampling, and weights of the loss.
BALANCES = ("none", "over", "under", "weights")


class Order:
    """Endless epochs, each drawn anew; a batch may begin in one epoch and end in the next."""

    def __init__(self, draw: Draw, length: int, batch_size: int, seed: int) -> None:
        """Creates an order of batches.

        Args:
          draw: Draws the rows of an epoch, always `length` of them.
          length: Number of images per epoch.
          batch_size: Number of images per batch.
          seed: Seed of all draws.
        """
        self.batch_size, self.length = batch_size, length
        # Threads read neighbouring batches: two epochs at a time are enough, a third is for the
        # end of an epoch.
        self._epoch = functools.lru_cache(maxsize=3)(
            lambda number: draw(np.random.default_rng((seed, number)))
        )

    def batch(self, number: int, share: Share = Share()) -> Positions:
        """Returns the rows of this process's share of global batch `number`."""
        size = self.batch_size // share.count
        places = number * self.batch_size + share.index * size + np.arange(size)
        epochs, offsets = np.divmod(places, self.length)
        rows = np.empty(size, np.int64)
        for epoch in np.unique(epochs):
            in_epoch = epochs == epoch
            rows[in_epoch] = self._epoch(int(epoch))[offsets[in_epoch]]
        return rows


def shuffled(rows: Positions) -> Draw:
    """Returns a draw of every row once per epoch, each epoch in another order."""
    return lambda rng: rng.permutation(rows)


def over(rows: Positions, classes: Int[np.ndarray, " n"]) -> tuple[Draw, int]:
    """Returns a draw in which rows of smaller classes are repeated, so that all classes are as
    frequent as the largest.

    Every row comes at least once per epoch; what does not divide evenly is drawn anew each epoch.

    Args:
      rows: Rows, [n].
      classes: Their classes, [n].

    Returns:
      The draw of an epoch, and the length of an epoch.
    """
    groups = _groups(rows, classes)
    most = max(len(group) for group in groups)

    def draw(rng: np.random.Generator) -> Positions:
        filled = [
            np.concatenate(
                [
                    np.tile(group, most // len(group)),
                    rng.choice(group, most % len(group), replace=False),
                ]
            )
            for group in groups
        ]
        return rng.permutation(np.concatenate(filled))

    return draw, most * len(groups)


def under(rows: Positions, classes: Int[np.ndarray, " n"]) -> tuple[Draw, int]:
    """Returns a draw of as many rows of each class as the smallest has, others in each epoch.

    The arguments and the result are those of `over`.
    """
    groups = _groups(rows, classes)
    least = min(len(group) for group in groups)

    def draw(rng: np.random.Generator) -> Positions:
        return rng.permutation(
            np.concatenate([rng.choice(group, least, replace=False) for group in groups])
        )

    return draw, least * len(groups)


def weights(classes: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Returns a weight per image, so that all classes weigh the same and the mean weight is one.

    The weight is n / (number of classes x images of the class).
    """
    _, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return (len(classes) / (len(counts) * counts))[codes]


def target_weights(targets: Targets, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "n t"]:
    """Returns a factor per position and target, so that the classes of each target weigh the same
    among `rows`; it is one in other rows.
    """
    factors = np.ones_like(targets.weights)
    for column in range(factors.shape[1]):
        counted = rows[targets.weights[rows, column] != 0]
        factors[counted, column] = weights(targets.values[counted, column].round().astype(int))
    return factors


def _groups(rows: np.ndarray, classes: np.ndarray) -> list[np.ndarray]:
    return [rows[classes == value] for value in np.unique(classes)]
