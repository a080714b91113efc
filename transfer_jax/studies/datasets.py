"""A study's data: opened, checked, and turned into streams of batches on the mesh."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from transfer_jax import models
from transfer_jax.core import mesh as meshes
from transfer_jax.core import rng
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import OWN, Normalisation, named
from transfer_jax.data import augment, phantom, pipeline, spec, writer
from transfer_jax.data.tfrecord import RecordSource
from transfer_jax.settings import Data
from transfer_jax.train.evaluate import DeviceBatch
from transfer_jax.train.loop import Group


class Needs(NamedTuple):
    """What a network asks of its images.

    Attributes:
      network: its name.
      channels: of its input.
      normalisation: that its pretrained weights ask for; None where they ask for none.
    """

    network: str
    channels: int
    normalisation: Normalisation | None = None


class Opened(NamedTuple):
    """A data set ready to be read, and the task made of it."""

    manifest: spec.Manifest
    task: spec.Task
    train: RecordSource
    val: RecordSource
    augmentation: augment.Augmentation
    normalisation: Normalisation
    channels: int

    def images(self, raw: jax.Array) -> jax.Array:
        """Images of the set, uint8, as the network takes them."""
        return augment.normalise(raw, self.normalisation, self.channels)


def open_data(data: Data, needs: Needs, workdir: Path, seed: int) -> Opened:
    """Opens the data of a study; a phantom is first written to `workdir/data`, once.

    Raises:
      DataError: the folder is missing or damaged.
      ConfigError: the task does not fit the data, or the network does not.
    """
    return _open(Path(data.path) if data.path is not None else _phantom(data, workdir / "data", seed), data, needs)


def check(data: Data, needs: Needs, batch_size: int) -> None:
    """Raises what opening and reading the data would raise, as far as that can be known without writing anything."""
    if data.path is not None:
        pipeline.check_batch(data.path, len(_open(Path(data.path), data, needs).train), batch_size)
    elif data.phantom is not None and data.size is not None and data.train is not None:
        _check_images(data.phantom, needs, (data.size, data.size, phantom.channels(data.phantom)))
        spec.make_task(data.phantom, phantom.label_values(data.phantom), data.task, data.labels, data.threshold)
        pipeline.check_batch(data.phantom, data.train, batch_size)


def _check_images(name: str, needs: Needs, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    least = models.least_side(needs.network)
    if min(height, width) < least:
        raise ConfigError(f"images of {name} are {height} x {width} pixels; {needs.network} needs at least {least}")
    if channels > needs.channels:
        raise ConfigError(f"images of {name} have {channels} channels: config.network_options.channels=1 is for grey images")


def _open(folder: Path, data: Data, needs: Needs) -> Opened:
    manifest = spec.Manifest.read(folder)
    _check_images(str(folder), needs, (manifest.height, manifest.width, manifest.channels))
    task = spec.make_task(manifest.name, manifest.values(), data.task, data.labels, data.threshold)
    train, val = (pipeline.open_split(folder, manifest, split) for split in ("train", "val"))
    return Opened(manifest, task, train, val, augment.Augmentation(data.flip, data.shift), _normalisation(data, needs, manifest), needs.channels)


def _normalisation(data: Data, needs: Needs, manifest: spec.Manifest) -> Normalisation:
    """What the settings say; else what the weights ask for; else the set's own."""
    if data.normalisation is not None:
        return manifest.normalisation() if data.normalisation == OWN else named(data.normalisation)
    asked = needs.normalisation
    return manifest.normalisation() if asked is None or asked.name == OWN else asked


def _phantom(data: Data, parent: Path, seed: int) -> Path:
    assert data.phantom is not None and data.size is not None and data.train is not None and data.val is not None
    folder = parent / f"{data.phantom}_{data.size}px_{data.train}_{data.val}_seed{seed}"
    if not folder.exists() and jax.process_index() == 0:
        rows = phantom.rows(data.phantom, size=data.size, counts={"train": data.train, "val": data.val}, seed=seed)
        source = {"phantom": data.phantom, "seed": seed}
        writer.write(folder, data.phantom, rows, encoding="png", source=source, label_names=phantom.label_names(data.phantom))
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(f"phantom {folder.name}")
    return folder


def groups(opened: Opened, members: dict[int, tuple[str, ...]], *, batch_size: int, seed: int, mesh: Mesh) -> list[Group]:
    """One group of members a repeat, each with its own data order and augmentation."""
    made = []
    share = pipeline.Share(jax.process_index(), jax.process_count())
    for repeat, names in members.items():
        order, draws = np.random.SeedSequence((seed, repeat)).generate_state(2)
        stream = pipeline.train_batches(opened.train, opened.manifest, opened.task, batch_size=batch_size, seed=int(order >> 1), share=share)
        made.append(Group(names, stream, _prepare(opened, jax.random.key(int(draws)), mesh)))
    return made


def _prepare(opened: Opened, key: jax.Array, mesh: Mesh) -> Callable[[Any, int], DeviceBatch]:
    """Host batch -> device batch, augmented by a key that depends on the step alone, so that a resumed run draws the same."""

    @functools.partial(jax.jit, out_shardings=meshes.batched(mesh))
    def images(raw: jax.Array, key: jax.Array, step: jax.Array) -> jax.Array:
        changed = augment.augment(jax.random.fold_in(key, step), raw, opened.augmentation)
        return opened.images(changed)

    key = rng.stream(key, "augment")

    def prepare(batch: Any, step: int) -> DeviceBatch:
        on_device = meshes.put_batch(mesh, batch)
        return images(on_device["image"], key, jnp.int32(step)), on_device["targets"], on_device["mask"]

    return prepare


class Validation:
    """The validation images on the device, in order; iterate as often as needed."""

    def __init__(self, opened: Opened, *, batch_size: int, mesh: Mesh) -> None:
        """Batches of `batch_size` images over the whole mesh."""
        share = pipeline.Share(jax.process_index(), jax.process_count())
        self._batches = pipeline.EvalBatches(opened.val, opened.manifest, opened.task, batch_size=batch_size, share=share)
        self._mesh = mesh

        @functools.partial(jax.jit, out_shardings=meshes.batched(mesh))
        def images(raw: jax.Array) -> jax.Array:
            return opened.images(raw)

        self._images = images

    def __iter__(self) -> Iterator[DeviceBatch]:
        """(images, targets, mask)."""
        for batch in self._batches:
            on_device = meshes.put_batch(self._mesh, batch)
            yield self._images(on_device["image"]), on_device["targets"], on_device["mask"]
