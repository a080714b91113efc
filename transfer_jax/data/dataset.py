"""A study's data: opened, checked, and dealt into train, validation and test images per repeat."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import numpy as np

from transfer_jax import models
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import OWN, Normalisation, named
from transfer_jax.data import augment, order, partition, pipeline, prediction_table, task
from transfer_jax.data.config import Data, PreparedFolder
from transfer_jax.data.order import Order, shuffled
from transfer_jax.data.partition import Part
from transfer_jax.data.pipeline import Columns
from transfer_jax.data.prepare import phantom
from transfer_jax.data.storage import records, rows
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.data.storage.records import Records
from transfer_jax.data.task import Targets, Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """What a network requires of its images.

    Attributes:
      network: Name of the network.
      channels: Number of channels of its input.
      normalisation: Normalisation that its pretrained weights require; None where they require
        none.
    """

    network: str
    channels: int
    normalisation: Normalisation | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set ready to be read, and the task made of it.

    Attributes:
      records: Images of the splits in use.
      training_records: Those that are read while a network trains, at the same positions: all but
        test images of their own split, which are read at the end alone.
      task: What is predicted.
      parts: One part for all repeats, or one per fold.
      targets: Targets of all positions, to train on.
      judged: Targets of all positions, to evaluate against.
      config: Options that it was opened with.
      normalisation: Normalisation of the images.
      channels: Number of channels that the network takes.
    """

    records: Records
    training_records: Records
    task: Task
    parts: tuple[Part, ...]
    targets: Targets
    judged: Targets
    config: Data
    normalisation: Normalisation
    channels: int

    @property
    def manifest(self) -> Manifest:
        """The manifest of the data set."""
        return self.records.manifest

    def part(self, repeat: int) -> Part:
        """Returns the images of a repeat."""
        return self.parts[repeat % len(self.parts)]

    @property
    def augmentation(self) -> augment.Augmentation:
        """The augmentation of training images."""
        preset = self.config.preset
        return self.config.augment if preset is None else augment.preset(preset)

    def images(self, raw: jax.Array) -> jax.Array:
        """Returns uint8 images of the set as the network takes them."""
        return augment.normalise(raw, self.normalisation, self.channels)

    def described(self) -> str:
        """Returns how many images train and judge a network, in words."""
        part = self.part(0)
        counts = f"{len(part.train)} training"
        if self.optimistic:
            counts += f" images, and {len(part.val)} that validate and test"
        elif len(part.test):
            counts += f", {len(part.val)} validation and {len(part.test)} test images"
        else:
            counts += f" and {len(part.val)} validation images"
        return counts + (f" in fold 1 of {len(self.parts)}" if self.config.folds else "")

    @property
    def optimistic(self) -> bool:
        """Whether the images that a choice is made on are the test images, too."""
        return bool(self.config.folds) and self.config.held_out == "both"

    def unmeasured(self) -> str:
        """Returns which labels the mean AUC leaves out, and why; "" where it holds all of them."""
        return partition.unmeasured(self.task, self.judged, self.parts)

    def columns(self, targets: Targets) -> Columns:
        """Returns the columns of a host batch with these targets, one row per image of the set.

        "ids" are the names of the images; "groups" numbers their patients, int32.
        """
        table = self.records.rows
        groups = np.unique(table.patients, return_inverse=True)[1].astype(np.int32)
        return targets.columns() | {"ids": table.ids, "groups": groups}

    def training(self, repeat: int, batch_size: int, seed: int) -> tuple[Order, Targets]:
        """Returns the order of a repeat's batches, and the targets with the weights of the options.

        Raises:
          DataError: There are fewer images than a batch needs.
        """
        train, targets = self.part(repeat).train, self.targets
        draw, length = shuffled(train), len(train)
        balance = self.config.balance
        if balance in ("over", "under"):
            method = order.over if balance == "over" else order.under
            draw, length = method(train, targets.values[train, 0].round().astype(int))
        elif balance == "weights":
            weights = order.target_weights(targets, train)
            targets = Targets(targets.values, targets.weights * weights)
        pipeline.check_batch(self.manifest.name, length, batch_size)
        return Order(draw, length, batch_size, seed), targets


def open_data(data: Data, images: ImageSpec, workdir: Path, seed: int) -> Dataset:
    """Opens the data of a study; a phantom is first written to `workdir/data`, once.

    Args:
      data: Options of the data set.
      images: What the network requires.
      workdir: Folder of the study.
      seed: Seed of folds, subsets and phantoms.

    Raises:
      DataError: The folder is missing or damaged, a patient is in two splits, or a class is
        missing.
      ConfigError: The task does not fit the data, or the network does not.
    """
    return _open(data.selected().build(workdir / "data", seed), data, images, seed)


def check(data: Data, images: ImageSpec, batch_size: int, seed: int) -> Dataset | None:
    """Raises what opening and reading the data would raise, as far as that is known beforehand.

    Nothing is written.

    Args:
      data: Options of the data set.
      images: What the network requires.
      batch_size: Number of images per batch.
      seed: Seed of folds and subsets.

    Returns:
      The data set, so that it need not be opened twice (which takes seconds for 200,000 images);
      None for a phantom, which is not written yet.

    Raises:
      DataError: See `open_data`; or there are fewer images than a batch needs.
      ConfigError: See `open_data`.
    """
    source = data.selected()
    if isinstance(source, PreparedFolder):
        opened = _open(Path(source.path), data, images, seed)
        for repeat in range(len(opened.parts)):
            opened.training(repeat, batch_size, seed)
        return opened
    name = source.phantom
    _check_images(name, images, (source.size, source.size, phantom.channels(name)))
    values = phantom.label_values(name)
    goal = task.make(name, values, data.task, data.labels, data.threshold, data.uncertain)
    _check_referable(data, goal)
    pipeline.check_batch(name, source.train, batch_size)
    return None


def _check_images(name: str, images: ImageSpec, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    least = models.least_side(images.network)
    if min(height, width) < least:
        raise ConfigError(
            f"images of {name} are {height} x {width} pixels; "
            f"{images.network} needs at least {least}"
        )
    if channels > images.channels:
        raise ConfigError(
            f"images of {name} have {channels} channels: "
            "config.network_options.channels=1 is for grey images"
        )


def _open(folder: Path, data: Data, images: ImageSpec, seed: int) -> Dataset:
    manifest = Manifest.read(folder)
    _check_images(str(folder), images, manifest.shape)
    goal = task.make(
        manifest.name, manifest.values(), data.task, data.labels, data.threshold, data.uncertain
    )
    _check_referable(data, goal)
    tables = {split: rows.read(folder, content) for split, content in manifest.splits.items()}
    partition.check_patients(folder, tables, data.allow_patient_overlap)
    splits = list(partition.FOLDED)
    if data.folds:
        splits = [split for split in splits if split in manifest.splits]
    elif manifest.splits.get("test", {}).get("records"):
        splits.append("test")
    pool, positions = records.open_splits(folder, manifest, splits, tables)
    table = pool.rows
    predicted = None
    if data.predictions:
        predicted = prediction_table.read(data.predictions, table.ids, _self_trained(goal))
    targets = goal.targets(table.labels, training=True, predicted=predicted)
    judged = goal.targets(table.labels, training=False)
    strata = None if goal.kind == "multilabel" else judged.values[:, 0].astype(int)
    if data.folds:
        held_out = data.held_out or partition.HELD_OUT[0]
        parts = partition.by_fold(positions, data.folds, table.patients, strata, seed, held_out)
    else:
        nothing = np.zeros(0, int)
        parts = [Part(positions["train"], positions["val"], positions.get("test", nothing))]
    parts = [
        partition.labelled(part, data.subset, targets, judged, table.patients, strata, seed)
        for part in parts
    ]
    for part in parts:
        partition.check_classes(folder, goal, targets, judged, part)
    return Dataset(
        records=pool,
        training_records=pool.first(("train", "val")) if "test" in splits else pool,
        task=goal,
        parts=tuple(parts),
        targets=targets,
        judged=judged,
        config=data,
        normalisation=_normalisation(data, images, manifest),
        channels=images.channels,
    )


def _check_referable(data: Data, goal: Task) -> None:
    if data.referable is not None and data.referable >= goal.classes:
        raise ConfigError(
            f"config.data.referable={data.referable}, but {goal.labels[0]} has the classes 0 to "
            f"{goal.classes - 1}: choose one of 1 to {goal.classes - 1}"
        )


def _self_trained(goal: Task) -> list[str]:
    pairs = zip(goal.labels, goal.policies, strict=True)
    return [label for label, policy in pairs if policy == "self_trained"]


def _normalisation(data: Data, images: ImageSpec, manifest: Manifest) -> Normalisation:
    """Returns the normalisation of the options, else of the weights, else of the set itself."""
    if data.normalisation is not None:
        return manifest.normalisation() if data.normalisation == OWN else named(data.normalisation)
    required = images.normalisation
    return manifest.normalisation() if required is None or required.name == OWN else required
