"""Damaged prepared sets: the same images and labels come out, or an error that names the file.

TRANSFER_JAX_FLIPS=2000 python -m pytest -n 0 tests/data/test_damage.py tries many flips.
"""

import shutil

import damage
import numpy as np
import pytest

from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import DataError
from transfer_jax.data import modes, pipeline, resident
from transfer_jax.data.order import Order, shuffled
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest

SPLITS = ["train", "val"]


@pytest.fixture
def folder(fundus, tmp_path):
    return shutil.copytree(fundus[0], tmp_path / "set", ignore=lambda *_: ["decoded"])


def content(folder):
    """All that training reads of a set: statistics, tables and images."""
    manifest = Manifest.read(folder)
    found, _ = records.open_splits(folder, manifest, SPLITS)
    labels = {name: values.tolist() for name, values in found.rows.labels.items()}
    rows = (found.rows.ids.tolist(), found.rows.patients.tolist(), labels)
    return manifest, rows, found(np.arange(len(found))).tobytes()


def test_single_bit_flips_never_give_another_set(folder):
    whole, refused = content(folder), set()
    for damaged in damage.single_bits(folder, default=70):
        with damaged as path:
            found, message = damage.outcome(lambda: content(folder), DataError)
            if message is None:
                assert found == whole, path
            else:
                assert str(folder) in message, path
                refused.add(path.name)
    # What tensorflow-datasets reads is nothing to us.
    names = {path.name for path in folder.iterdir()}
    assert refused == names - {"dataset_info.json", "features.json"}


@pytest.mark.parametrize("mode", modes.MODES)
def test_single_bit_flips_in_a_shard_are_found_before_they_train_or_judge(folder, opened, mode):
    """Every byte of a shard is in a checksum, so that no flip is harmless."""
    only = folder.parent / "shards"
    only.mkdir()
    for path in folder.glob("*.tfrecord*"):
        path.rename(only / path.name)
        path.symlink_to(only / path.name)
    targets = opened[2]

    def read():
        found, positions = records.open_splits(folder, Manifest.read(folder), SPLITS)
        if mode == "resident":
            return resident.put(found, meshes.create(1))
        load = found.mapped() if mode == "mapped" else found
        order = Order(shuffled(positions["train"]), 50, 10, 0)
        batches = pipeline.train_batches(load, targets.columns(), order)
        seen = [next(batches) for _ in range(5)]
        judged = pipeline.EvalBatches(load, targets.columns(), positions["val"], batch_size=10)
        return seen + list(judged)

    for damaged in damage.single_bits(only, default=12):
        with damaged as path, pytest.raises(DataError, match=path.name):
            read()
    assert not list(folder.glob("decoded/*"))
