"""A study's data: opened, checked, and dealt into training and validation images for every repeat."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import jax

from transfer_jax import models
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import OWN, Normalisation, named
from transfer_jax.data import augment, phantom, pipeline, predictions, records, rows, sampling, spec, task, writer
from transfer_jax.data.order import Order, shuffled
from transfer_jax.data.records import Records
from transfer_jax.data.shards import Form
from transfer_jax.data.task import Targets, Task
from transfer_jax.settings import Data
from transfer_jax.studies import parts
from transfer_jax.studies.parts import Part


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
    """A data set ready to be read, and the task made of it.

    Attributes:
      records: images of the splits that are used.
      task: what is predicted.
      parts: one for all repeats, or one a fold.
      targets: of all positions, to train on.
      judged: of all positions, to be evaluated against.
      settings: what it was opened by.
      normalisation: of the images.
      channels: that the network takes.
    """

    records: Records
    task: Task
    parts: tuple[Part, ...]
    targets: Targets
    judged: Targets
    settings: Data
    normalisation: Normalisation
    channels: int

    @property
    def manifest(self) -> spec.Manifest:
        """Of the data set."""
        return self.records.manifest

    def part(self, repeat: int) -> Part:
        """The images of a repeat."""
        return self.parts[repeat % len(self.parts)]

    @property
    def augmentation(self) -> augment.Augmentation:
        """What is done to training images."""
        return self.settings.augment if self.settings.preset is None else augment.preset(self.settings.preset)

    def images(self, raw: jax.Array) -> jax.Array:
        """Images of the set, uint8, as the network takes them."""
        return augment.normalise(raw, self.normalisation, self.channels)

    def described(self) -> str:
        """How many images train and judge a network."""
        part = self.part(0)
        return f"{len(part.train)} training and {len(part.val)} validation images" + (
            f" in fold 1 of {len(self.parts)}" if self.settings.folds else ""
        )

    def unmeasured(self) -> str:
        """Says which labels the mean AUC leaves out, and why; "" where it holds all of them."""
        return parts.unmeasured(self.task, self.judged, self.parts)

    def training(self, repeat: int, batch_size: int, seed: int) -> tuple[Order, Targets]:
        """The order of a repeat's batches, and the targets weighted as the settings ask.

        Raises:
          DataError: fewer images than a batch.
        """
        train, targets = self.part(repeat).train, self.targets
        draw, length = shuffled(train), len(train)
        if self.settings.balance in ("over", "under"):
            method = sampling.over if self.settings.balance == "over" else sampling.under
            draw, length = method(train, targets.values[train, 0].round().astype(int))
        elif self.settings.balance == "weights":
            targets = Targets(targets.values, targets.weights * sampling.target_weights(targets, train))
        pipeline.check_batch(self.manifest.name, length, batch_size)
        return Order(draw, length, batch_size, seed), targets


def open_data(data: Data, needs: Needs, workdir: Path, seed: int) -> Opened:
    """Opens the data of a study; a phantom is first written to `workdir/data`, once.

    Raises:
      DataError: the folder is missing or damaged, a patient is in two splits, or a class is not there.
      ConfigError: the task does not fit the data, or the network does not.
    """
    return _open(Path(data.path) if data.path is not None else _phantom(data, workdir / "data", seed), data, needs, seed)


def check(data: Data, needs: Needs, batch_size: int, seed: int) -> Opened | None:
    """Raises what opening and reading the data would raise, as far as that can be known without writing anything.

    Returns:
      The data set, to be used instead of opening it once more (which takes seconds where it has 200,000 images); None for a phantom, which is
      yet to be written.
    """
    if data.path is not None:
        opened = _open(Path(data.path), data, needs, seed)
        for repeat in range(len(opened.parts)):
            opened.training(repeat, batch_size, seed)
        return opened
    if data.phantom is not None and data.size is not None and data.train is not None:
        _check_images(data.phantom, needs, (data.size, data.size, phantom.channels(data.phantom)))
        task.make(data.phantom, phantom.label_values(data.phantom), data.task, data.labels, data.threshold, data.uncertain)
        pipeline.check_batch(data.phantom, data.train, batch_size)
    return None


def _check_images(name: str, needs: Needs, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    least = models.least_side(needs.network)
    if min(height, width) < least:
        raise ConfigError(f"images of {name} are {height} x {width} pixels; {needs.network} needs at least {least}")
    if channels > needs.channels:
        raise ConfigError(f"images of {name} have {channels} channels: config.network_options.channels=1 is for grey images")


def _open(folder: Path, data: Data, needs: Needs, seed: int) -> Opened:
    manifest = spec.Manifest.read(folder)
    _check_images(str(folder), needs, manifest.shape)
    goal = task.make(manifest.name, manifest.values(), data.task, data.labels, data.threshold, data.uncertain)
    tables = {split: rows.read(folder, content) for split, content in manifest.splits.items()}
    parts.check_patients(folder, tables, data.allow_patient_overlap)
    wanted = [split for split in ("train", "val") if split in manifest.splits] if data.folds else ["train", "val"]
    pool, positions = records.open_splits(folder, manifest, wanted, tables)
    table = pool.rows
    predicted = predictions.read(data.predictions, table.ids, _self_trained(goal)) if data.predictions else None
    targets = goal.targets(table.labels, training=True, predicted=predicted)
    judged = goal.targets(table.labels, training=False)
    strata = None if goal.kind == "multilabel" else judged.values[:, 0].astype(int)
    whole = parts.by_fold(positions, data.folds, table.patients, strata, seed) if data.folds else [Part(positions["train"], positions["val"])]
    dealt = tuple(parts.asked(part, data.subset, targets, judged, table.patients, strata, seed) for part in whole)
    for part in dealt:
        parts.check_classes(folder, goal, targets, judged, part)
    return Opened(pool, goal, dealt, targets, judged, data, _normalisation(data, needs, manifest), needs.channels)


def _self_trained(goal: Task) -> list[str]:
    return [label for label, policy in zip(goal.labels, goal.policies, strict=True) if policy == "self_trained"]


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
        items = list(phantom.items(data.phantom, size=data.size, counts={"train": data.train, "val": data.val}, seed=seed))
        form = Form(data.size, phantom.channels(data.phantom), encoding="png")
        writer.write(folder, data.phantom, items, form, source={"phantom": data.phantom, "seed": seed}, names=phantom.label_names(data.phantom))
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(f"phantom {folder.name}")
    return folder
