"""From an opened data set to batches on the mesh, whatever the mode of reading."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int
from tqdm import tqdm

from transfer_jax.core import mesh as meshes
from transfer_jax.core import rng
from transfer_jax.data import augment, modes, pipeline, resident
from transfer_jax.data.order import Share
from transfer_jax.data.records import Load
from transfer_jax.studies.datasets import Opened
from transfer_jax.train.evaluate import DeviceBatch
from transfer_jax.train.loop import Group

_Prepare = Callable[[Any, int], DeviceBatch]


class Feed:
    """A data set's batches on a mesh.

    Attributes:
      mode: of `modes.MODES`.
    """

    def __init__(self, opened: Opened, mesh: Mesh, *, wanted: int) -> None:
        """Decodes everything first where the mode asks for it.

        Args:
          opened: the data set.
          mesh: the devices.
          wanted: images that will be asked for in all.

        Raises:
          DataError: a record is damaged, or the decoded file cannot be written.
        """
        self.mode = _agreed(opened, mesh, wanted) if opened.settings.mode == modes.AUTO else opened.settings.mode
        self._opened, self._mesh = opened, mesh
        self._share = own_share()
        self._load: Load | None = None
        self._images: jax.Array | None = None
        if self.mode == "resident":
            self._images = resident.put(opened.records, mesh)
        elif self.mode == "mapped":
            with tqdm(total=len(opened.records), desc="decoding", unit="image", disable=None, leave=False) as shown:
                self._load = opened.records.mapped(shown.update)
        else:
            self._load = opened.records
        # Compiled once for all groups. A program each: in one, XLA on a CPU interpolates a pixel anew for everything that reads it (three times
        # as slow).
        jitted = functools.partial(jax.jit, out_shardings=meshes.batched(mesh))
        self._gathered = jitted(lambda images, positions: resident.gather(images, positions, mesh))
        self._augmented = jitted(lambda raw, key, step: augment.augment(jax.random.fold_in(key, step), raw, opened.augmentation))
        self._finished = jitted(opened.images)

    def groups(self, members: dict[int, tuple[str, ...]], *, batch_size: int, seed: int) -> list[Group]:
        """One group of members a repeat, each with its own data order and augmentation."""
        made = []
        for repeat, names in members.items():
            order_seed, draws = np.random.SeedSequence((seed, repeat)).generate_state(2)
            order, targets = self._opened.training(repeat, batch_size, int(order_seed))
            stream = pipeline.train_batches(self._load, targets, order, self._share)
            made.append(Group(names, stream, self._prepare(jax.random.key(int(draws)))))
        return made

    def validations(self, members: dict[int, tuple[str, ...]], *, batch_size: int) -> list[tuple[tuple[str, ...], Validation]]:
        """Names of members with the images that judge them: all members with the same, or each fold's with its own."""
        parts = self._opened.parts
        made = []
        for fold, part in enumerate(parts):
            names = tuple(name for repeat, group in members.items() if repeat % len(parts) == fold for name in group)
            keep = self.mode == "streamed" and pipeline.few(len(part.val), self._opened.manifest.image_bytes)
            batches = pipeline.EvalBatches(self._load, self._opened.judged, part.val, batch_size=batch_size, share=self._share, keep=keep)
            if names:
                made.append((names, Validation(batches, self._prepare(None))))
        return made

    def _prepare(self, key: jax.Array | None) -> _Prepare:
        """Host batch -> device batch; augmented, with a key, by draws that depend on the step alone, so that a resumed run draws the same."""
        drawn = None if key is None or self._opened.augmentation == augment.Augmentation() else rng.stream(key, "augment")

        def prepare(batch: Any, step: int) -> DeviceBatch:
            asked = meshes.put_batch(self._mesh, {name: value for name, value in batch.items() if name != "position"})
            if self._images is not None:
                asked["image"] = self._gathered(self._images, meshes.put_whole(self._mesh, batch["position"]))
            if drawn is not None:
                asked["image"] = self._augmented(asked["image"], drawn, jnp.int32(step))
            return self._finished(asked["image"]), asked["targets"], asked["weights"]

        return prepare


class Validation:
    """Images on the device, in order; iterate as often as needed."""

    def __init__(self, batches: pipeline.EvalBatches, prepare: _Prepare) -> None:
        """The batches, and what puts one on the device."""
        self._batches, self._prepare = batches, prepare

    def __iter__(self) -> Iterator[DeviceBatch]:
        """(images, targets, weights)."""
        for batch in self._batches:
            yield self._prepare(batch, 0)


def stored(opened: Opened, positions: Int[np.ndarray, " n"], mesh: Mesh, *, batch_size: int) -> Validation:
    """Some images straight from their records, whatever the mode: for those that are looked at a few times."""
    keep = pipeline.few(len(positions), opened.manifest.image_bytes)
    batches = pipeline.EvalBatches(opened.records, opened.judged, positions, batch_size=batch_size, share=own_share(), keep=keep)
    finished = jax.jit(opened.images, out_shardings=meshes.batched(mesh))

    def prepare(batch: Any, step: int) -> DeviceBatch:
        given = meshes.put_batch(mesh, batch)
        return finished(given["image"]), given["targets"], given["weights"]

    return Validation(batches, prepare)


def own_share() -> Share:
    """The part of every batch that is this process's."""
    return Share(jax.process_index(), jax.process_count())


def _agreed(opened: Opened, mesh: Mesh, wanted: int) -> str:
    """The mode, the same in all processes."""
    records = opened.records
    disk = None if records.cache().exists() else modes.free_on_disk(records.folder)
    chosen = modes.choose(
        records.decoded_bytes, len(records), wanted=wanted, device=modes.free_on_devices(mesh), host=modes.free_on_host(), disk=disk
    )
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        chosen = modes.MODES[int(multihost_utils.broadcast_one_to_all(np.int32(modes.MODES.index(chosen))))]
    return chosen
