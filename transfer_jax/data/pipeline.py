"""Records to batches: a grain source with a global shuffle, one share per process, exact resume.

Whole batches are the unit of work of a thread (decoding lets go of Python's lock), which on few cores is two to four times
as fast as threads that hand over single images. What leaves here is uint8; everything else is done on the device.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grain
import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data import examples, images
from transfer_jax.data.spec import Manifest, Task
from transfer_jax.data.tfrecord import RecordSource

Batch = dict[str, np.ndarray]
_THREADS = 4
_KEEP_BYTES = 512 << 20


@dataclasses.dataclass(frozen=True)
class _Load:
    """Record bytes -> image, targets and mask; positions past the end give an empty row that counts for nothing."""

    source: RecordSource
    manifest: Manifest
    task: Task

    def __call__(self, position: int) -> Batch:
        if position >= len(self.source):
            shape = (self.manifest.height, self.manifest.width, self.manifest.channels)
            width = len(self.task.labels)
            return {"image": np.zeros(shape, np.uint8), "targets": np.zeros(width, np.float32), "mask": np.zeros(width, bool)}
        example = examples.parse(self.source[position], self.task.labels)
        targets, mask = self.task.targets(example.labels)
        image = images.decode(example.image, self.manifest.channels, f"record {position} ({example.id}) of {self.manifest.name}")
        return {"image": image, "targets": targets, "mask": mask}


@dataclasses.dataclass(frozen=True)
class Share:
    """Which part of every global batch this process reads: number `index` of `count` equal parts."""

    index: int = 0
    count: int = 1


def open_split(folder: str | Path, manifest: Manifest, split: str) -> RecordSource:
    """The records of one split.

    Raises:
      DataError: the split is not there, or a shard is missing or damaged.
    """
    if split not in manifest.splits:
        raise DataError(f"data set {folder} has no split {split!r} (it has {', '.join(manifest.splits)}): prepare it with one")
    source = RecordSource(Path(folder) / shard["file"] for shard in manifest.splits[split]["shards"])
    if len(source) != manifest.splits[split]["records"]:
        raise DataError(f"{folder}: split {split} has {len(source)} records, its manifest says {manifest.splits[split]['records']}: prepare it again")
    return source


def check_batch(name: str, images: int, batch_size: int) -> None:
    """Raises DataError where a training split has fewer images than a batch."""
    if images < batch_size:
        raise DataError(f"data set {name} has {images} training images, a batch needs {batch_size}: lower batch_size")


def train_batches(source: RecordSource, manifest: Manifest, task: Task, *, batch_size: int, seed: int, share: Share = Share()) -> Any:
    """An endless iterator over shuffled batches; `get_state()` and `set_state()` resume it exactly.

    Every epoch has its own global order, the same for every number of processes: global batch k holds the same images.

    Args:
      source: the records of the training split.
      manifest: of the data set.
      task: what to predict.
      batch_size: images per global batch; this process gets `batch_size / share.count` of them.
      seed: of the shuffle.
      share: this process's part.

    Returns:
      An iterator over {"image": uint8 [b, h, w, c], "targets": float32 [b, t], "mask": bool [b, t]}.

    Raises:
      DataError: the split has fewer images than a batch.
    """
    check_batch(manifest.name, len(source), batch_size)
    positions = grain.MapDataset.range(len(source)).seed(seed).shuffle().repeat(None)
    batches = positions[share.index :: share.count].map(_Load(source, manifest, task)).batch(batch_size // share.count, drop_remainder=True)
    return iter(batches.to_iter_dataset(grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=2 * _THREADS)))


class EvalBatches:
    """The images of a split in order, once each; iterate as often as needed.

    The last batch is filled with rows whose mask is False. Small splits (up to 512 MiB decoded) are decoded once and kept.
    """

    def __init__(self, source: RecordSource, manifest: Manifest, task: Task, *, batch_size: int, share: Share = Share()) -> None:
        """Args as in `train_batches`."""
        self.rows = len(source)
        padded = -(-self.rows // batch_size) * batch_size
        positions = grain.MapDataset.range(padded)[share.index :: share.count]
        self._batches = positions.map(_Load(source, manifest, task)).batch(batch_size // share.count, drop_remainder=True)
        self._small = padded * manifest.height * manifest.width * manifest.channels <= _KEEP_BYTES
        self._kept: list[Batch] = []

    def __iter__(self) -> Iterator[Batch]:
        """Batches as in `train_batches`."""
        if self._kept:
            return iter(self._kept)
        batches = iter(self._batches.to_iter_dataset(grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=2 * _THREADS)))
        if not self._small:
            return batches
        self._kept = list(batches)
        return iter(self._kept)
