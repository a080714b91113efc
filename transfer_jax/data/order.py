"""Which images are in which batch: a function of a seed and the batch's number alone.

So the order is the same in every mode of reading and on every number of devices and processes, and a training is resumed
exactly by the number of batches it has seen.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Int

Positions = Int[np.ndarray, " n"]
Draw = Callable[[np.random.Generator], Positions]


def shuffled(rows: Positions) -> Draw:
    """Every row once an epoch, in an order of its own."""
    return lambda rng: rng.permutation(rows)


@dataclasses.dataclass(frozen=True)
class Share:
    """Which part of every global batch this process reads: number `index` of `count` equal parts."""

    index: int = 0
    count: int = 1


class Order:
    """Endless epochs, each drawn anew; a batch may begin in one epoch and end in the next."""

    def __init__(self, draw: Draw, length: int, batch_size: int, seed: int) -> None:
        """An order of batches.

        Args:
          draw: an epoch's rows, always `length` of them.
          length: images in an epoch.
          batch_size: images in a batch.
          seed: of all draws.
        """
        self.batch_size, self.length = batch_size, length
        # Threads read neighbouring batches: two epochs at a time are enough, a third is for the end of an epoch.
        self._epoch = functools.lru_cache(maxsize=3)(lambda number: draw(np.random.default_rng((seed, number))))

    def batch(self, number: int, share: Share = Share()) -> Positions:
        """The rows of this process's part of global batch `number`."""
        size = self.batch_size // share.count
        places = number * self.batch_size + share.index * size + np.arange(size)
        epochs, offsets = np.divmod(places, self.length)
        rows = np.empty(size, np.int64)
        for epoch in np.unique(epochs):
            own = epochs == epoch
            rows[own] = self._epoch(int(epoch))[offsets[own]]
        return rows
