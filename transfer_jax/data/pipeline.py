"""Positions to batches: read ahead by threads that each make a whole batch, resumed exactly, one share per process.

On few cores whole batches as the unit of a thread's work are two to four times as fast as threads that hand over single images.
What leaves here is uint8; everything else is done on the device. A batch is a dict of "targets" [b, t] and "weights" [b, t], with
"image" [b, h, w, c], or with "position" [B] of the whole global batch where the images are on the devices already.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import grain
import numpy as np
from jaxtyping import Int

from transfer_jax.core.errors import DataError
from transfer_jax.data.order import Order, Share
from transfer_jax.data.records import Load
from transfer_jax.data.task import Targets

Batch = dict[str, np.ndarray]
_ENDLESS = 1 << 40
_KEEP_BYTES = 512 << 20


def threads() -> int:
    """Threads that read: one a core, at least two and at most sixteen."""
    return min(16, max(2, os.cpu_count() or 2))


def check_batch(name: str, images: int, batch_size: int) -> None:
    """Raises DataError where a training split has fewer images than a batch."""
    if images < batch_size:
        raise DataError(f"data set {name} has {images} training images, a batch needs {batch_size}: lower batch_size")


def train_batches(load: Load | None, targets: Targets, order: Order, share: Share = Share()) -> Any:
    """An endless iterator over batches; `get_state()` and `set_state()` resume it exactly, in any mode and on any number of processes.

    Args:
      load: gives the images; None where they are on the devices.
      targets: of all positions.
      order: which positions are in which batch.
      share: this process's part of every batch.
    """

    def batch(number: int) -> Batch:
        own = order.batch(number, share)
        return _images(load, own, lambda: order.batch(number)) | _asked(targets, own)

    return _read_ahead(grain.MapDataset.range(_ENDLESS).map(batch))


class EvalBatches:
    """Some images in order, once each; iterate as often as needed. The last batch is filled with rows whose weights are zero."""

    def __init__(
        self,
        load: Load | None,
        targets: Targets,
        positions: Int[np.ndarray, " n"],
        *,
        batch_size: int,
        share: Share = Share(),
        keep: bool = False,
    ) -> None:
        """Arguments as in `train_batches`; `positions` are the images wanted, `batch_size` is that of a global batch.

        `keep` holds on to the decoded batches, instead of decoding them anew each time.
        """
        size = batch_size // share.count

        def batch(number: int) -> Batch:
            whole = positions[number * batch_size : (number + 1) * batch_size]
            filled = np.concatenate([whole, np.full(batch_size - len(whole), positions[0])])
            part = slice(share.index * size, (share.index + 1) * size)
            asked = _asked(targets, filled[part])
            asked["weights"][np.arange(batch_size)[part] >= len(whole)] = 0
            return _images(load, filled[part], lambda: filled) | asked

        self._batches = grain.MapDataset.range(-(-len(positions) // batch_size)).map(batch)
        self._keep = keep
        self._kept: list[Batch] = []

    def __iter__(self) -> Iterator[Batch]:
        """Batches as in `train_batches`."""
        if self._keep and not self._kept:
            self._kept = list(_read_ahead(self._batches))
        return iter(self._kept or _read_ahead(self._batches))


def few(images: int, image_bytes: int) -> bool:
    """Whether so many decoded images of so many bytes may stay in a process's memory."""
    return images * image_bytes <= _KEEP_BYTES


def _images(load: Load | None, own: np.ndarray, whole: Any) -> Batch:
    return {"position": whole().astype(np.int32)} if load is None else {"image": load(own)}


def _asked(targets: Targets, positions: np.ndarray) -> Batch:
    return {"targets": targets.values[positions], "weights": targets.weights[positions]}


def _read_ahead(batches: Any) -> Any:
    return iter(batches.to_iter_dataset(grain.ReadOptions(num_threads=threads(), prefetch_buffer_size=threads() + 2)))
