"""From a data set to batches on the mesh, whatever the mode of reading."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int
from tqdm import tqdm

from transfer_jax.core import mesh as meshes
from transfer_jax.core import processes, rng
from transfer_jax.data import augment, modes, pipeline, resident
from transfer_jax.data.dataset import Dataset
from transfer_jax.data.storage.records import Load

DeviceBatch = dict[str, jax.Array]
_Prepare = Callable[[Any, int], DeviceBatch]


@dataclasses.dataclass(frozen=True)
class TrainBatches:
    """Training batches of one repeat.

    Attributes:
      stream: Endless iterator over host batches, see `pipeline.train_batches`.
      prepare: (host batch, step) -> the batch on the device, normalised and augmented.
    """

    stream: Any
    prepare: _Prepare


class Images:
    """Batches of some images on the device, in order; iterate as often as needed."""

    def __init__(self, batches: pipeline.EvalBatches, prepare: _Prepare) -> None:
        """Reads nothing yet.

        Args:
          batches: Host batches.
          prepare: Sends a host batch to the device.
        """
        self._batches, self._prepare = batches, prepare

    def __iter__(self) -> Iterator[DeviceBatch]:
        """Yields the batches."""
        for batch in self._batches:
            yield self._prepare(batch, 0)


class Loader:
    """Batches of a data set on a mesh.

    Attributes:
      mode: Where the pixels lie, one of `modes.MODES`.
    """

    def __init__(
        self,
        dataset: Dataset,
        mesh: Mesh,
        *,
        reads: int,
        columns: Sequence[str] = ("targets", "weights"),
    ) -> None:
        """Decodes all images first where the mode needs it.

        Args:
          dataset: The data set.
          mesh: The devices.
          reads: Number of images that will be read in all, which decides the mode "auto".
          columns: Columns of the host batch that are sent to the device beside the images.

        Raises:
          DataError: A record is damaged, or the decoded file cannot be written.
        """
        mode = dataset.config.mode
        self.mode = _choose(dataset, mesh, reads) if mode == modes.AUTO else mode
        self._dataset, self._mesh, self._columns = dataset, mesh, tuple(columns)
        self._share = processes.share()
        self._load: Load | None = None
        self._resident: jax.Array | None = None
        records = dataset.training_records
        if self.mode == "resident":
            self._resident = resident.put(records, mesh)
        elif self.mode == "mapped":
            with tqdm(
                total=len(records), desc="decoding", unit="image", disable=None, leave=False
            ) as bar:
                self._load = records.mapped(bar.update)
        else:
            self._load = records
        # Compiled once for all repeats, and each by itself: in one program, XLA on a CPU
        # interpolates a pixel anew for everything that reads it (three times as slow).
        jitted = functools.partial(jax.jit, out_shardings=meshes.batched(mesh))
        self._gather = jitted(lambda images, positions: resident.gather(images, positions, mesh))
        self._augment = jitted(
            lambda raw, key, step: augment.augment(
                jax.random.fold_in(key, step), raw, dataset.augmentation
            )
        )
        self._normalise = jitted(dataset.images)

    def training(self, repeat: int, *, batch_size: int, seed: int) -> TrainBatches:
        """Returns the training batches of a repeat, with an order and an augmentation of its own.

        Raises:
          DataError: There are fewer images than a batch needs.
        """
        order_seed, draws = np.random.SeedSequence((seed, repeat)).generate_state(2)
        order, targets = self._dataset.training(repeat, batch_size, int(order_seed))
        columns = self._dataset.columns(targets)
        stream = pipeline.train_batches(self._load, columns, order, self._share)
        return TrainBatches(stream, self._prepare(jax.random.key(int(draws))))

    def validation(self, fold: int, *, batch_size: int) -> Images:
        """Returns the validation images of a fold (fold 0 where there are none)."""
        positions = self._dataset.parts[fold].val
        batches = pipeline.EvalBatches(
            self._load,
            self._dataset.columns(self._dataset.judged),
            positions,
            batch_size=batch_size,
            share=self._share,
            keep=self.mode == "streamed" and _few(self._dataset, positions),
        )
        return Images(batches, self._prepare(None))

    def _prepare(self, key: jax.Array | None) -> _Prepare:
        """Returns the function that sends a host batch to the device.

        With a key, images are augmented by draws that depend on the step alone, so that a resumed
        training draws the same.
        """
        augmented = key is not None and self._dataset.augmentation != augment.Augmentation()
        draws = rng.stream(key, "augment") if key is not None and augmented else None

        def prepare(batch: Any, step: int) -> DeviceBatch:
            names = (*self._columns, "images") if self._resident is None else self._columns
            sent = meshes.put_batch(self._mesh, {name: batch[name] for name in names})
            if self._resident is not None:
                positions = meshes.put_whole(self._mesh, batch["positions"])
                sent["images"] = self._gather(self._resident, positions)
            if draws is not None:
                sent["images"] = self._augment(sent["images"], draws, jnp.int32(step))
            return sent | {"images": self._normalise(sent["images"])}

        return prepare


def from_records(
    dataset: Dataset,
    positions: Int[np.ndarray, " n"],
    mesh: Mesh,
    *,
    batch_size: int,
    columns: Sequence[str] = ("targets", "weights"),
) -> Images:
    """Returns some images straight from their records, whatever the mode: for those read a few
    times.

    Args:
      dataset: The data set.
      positions: Positions of the images, [n].
      mesh: The devices.
      batch_size: Number of images per global batch.
      columns: See `Loader`.
    """
    batches = pipeline.EvalBatches(
        dataset.records,
        dataset.columns(dataset.judged),
        positions,
        batch_size=batch_size,
        share=processes.share(),
        keep=_few(dataset, positions),
    )
    normalise = jax.jit(dataset.images, out_shardings=meshes.batched(mesh))

    def prepare(batch: Any, step: int) -> DeviceBatch:
        sent = meshes.put_batch(mesh, {name: batch[name] for name in (*columns, "images")})
        return sent | {"images": normalise(sent["images"])}

    return Images(batches, prepare)


def _few(dataset: Dataset, positions: np.ndarray) -> bool:
    return pipeline.few(len(positions), dataset.manifest.image_bytes)


def _choose(dataset: Dataset, mesh: Mesh, reads: int) -> str:
    """Returns the mode for "auto", the same in all processes."""
    records = dataset.training_records
    disk = None if records.cache().exists() else modes.free_on_disk(records.folder)
    mode = modes.choose(
        records.decoded_bytes,
        len(records),
        reads=reads,
        device=modes.free_on_devices(mesh),
        host=modes.free_on_host(),
        disk=disk,
    )
    return modes.MODES[int(processes.broadcast(modes.MODES.index(mode)))]
