"""From positions to host batches: read ahead by threads, resumed exactly, one share per process.

Every thread makes whole batches: on few cores that is two to four times as fast as threads that
hand over single images. Pixels leave here as uint8; everything else is done on the device.

A host batch is a dict with one row per image: the columns of the data set ("targets", "weights",
"ids", "groups") and "images" [b, h, w, c]. Where the images lie on the devices already, "positions"
[B] of the whole global batch take the place of "images".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grain
import numpy as np
from jaxtyping import Int

from transfer_jax.core.errors import DataError
from transfer_jax.core.processes import Share
from transfer_jax.data.order import Order
from transfer_jax.data.storage.records import Load

Batch = dict[str, np.ndarray]
# Name -> one row per image of the data set.
Columns = Mapping[str, np.ndarray]
_ENDLESS = 1 << 40
_KEEP_BYTES = 512 << 20


def threads() -> int:
    """Returns the number of reading threads: one per core, at least two and at most sixteen."""
    return min(16, max(2, os.cpu_count() or 2))


def check_batch(name: str, images: int, batch_size: int) -> None:
    """Checks that a training split has the images of a batch.

    Args:
      name: Name of the data set, for the message.
      images: Number of training images.
      batch_size: Number of images per batch.

    Raises:
      DataError: There are fewer images than a batch needs.
    """
    if images < batch_size:
        raise DataError(
            f"data set {name} has {images} training images, a batch needs {batch_size}: "
            "lower batch_size"
        )


def train_batches(load: Load | None, columns: Columns, order: Order, share: Share = Share()) -> Any:
    """Returns an endless iterator over training batches.

    `get_state()` and `set_state()` resume it exactly, in any mode and on any number of processes.

    Args:
      load: Loads the images at given positions; None where they lie on the devices.
      columns: Columns of all positions.
      order: Says which positions are in which batch.
      share: This process's share of every batch.
    """

    def batch(number: int) -> Batch:
        positions = order.batch(number, share)
        return _batch(load, columns, positions, lambda: order.batch(number))

    return _read_ahead(grain.MapDataset.range(_ENDLESS).map(batch))


class EvalBatches:
    """Batches of some images in order, once each; iterate as often as needed.

    The last batch is filled up with rows whose weights are zero.
    """

    def __init__(
        self,
        load: Load | None,
        columns: Columns,
        positions: Int[np.ndarray, " n"],
        *,
        batch_size: int,
        share: Share = Share(),
        keep: bool = False,
    ) -> None:
        """Prepares the batches; nothing is read yet.

        Args:
          load: See `train_batches`.
          columns: See `train_batches`; "weights" must be one of them.
          positions: Positions of the images, [n].
          batch_size: Number of images per global batch.
          share: See `train_batches`.
          keep: Keeps the decoded batches in memory instead of decoding them anew each time.
        """
        size = batch_size // share.count
        rows = slice(share.index * size, (share.index + 1) * size)

        def batch(number: int) -> Batch:
            whole = positions[number * batch_size : (number + 1) * batch_size]
            filled = np.concatenate([whole, np.full(batch_size - len(whole), positions[0])])
            host_batch = _batch(load, columns, filled[rows], lambda: filled)
            host_batch["weights"][np.arange(batch_size)[rows] >= len(whole)] = 0
            return host_batch

        self._batches = grain.MapDataset.range(-(-len(positions) // batch_size)).map(batch)
        self._keep = keep
        self._kept: list[Batch] = []

    def __iter__(self) -> Iterator[Batch]:
        """Yields the host batches in order."""
        if self._keep and not self._kept:
            self._kept = list(_read_ahead(self._batches))
        return iter(self._kept or _read_ahead(self._batches))


def few(images: int, image_bytes: int) -> bool:
    """Returns whether decoded images may stay in a process's memory.

    Args:
      images: Number of images.
      image_bytes: Bytes of each.
    """
    return images * image_bytes <= _KEEP_BYTES


def _batch(
    load: Load | None,
    columns: Columns,
    positions: np.ndarray,
    global_positions: Callable[[], np.ndarray],
) -> Batch:
    batch = {name: values[positions] for name, values in columns.items()}
    if load is None:
        return batch | {"positions": global_positions().astype(np.int32)}
    return batch | {"images": load(positions)}


def _read_ahead(batches: Any) -> Any:
    options = grain.ReadOptions(num_threads=threads(), prefetch_buffer_size=threads() + 2)
    return iter(batches.to_iter_dataset(options))
