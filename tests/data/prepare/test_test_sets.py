"""Sets of test images alone, for external validation: written, read, and refused for training."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
from small_sets import FORM, item

from transfer_jax.core import digest
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.normalisation import Normalisation
from transfer_jax.data import dataset
from transfer_jax.data.config import Data
from transfer_jax.data.prepare import dealing, writer
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import MANIFEST, Manifest

ITEMS = [item(i, split="test") for i in range(6)]


@pytest.fixture
def folder(tmp_path):
    writer.write(tmp_path / "set", "set", ITEMS, FORM, source={})
    return tmp_path / "set"


def test_its_test_split_is_read_as_any_other(folder):
    manifest = Manifest.read(folder)
    assert (manifest.mean, manifest.std, list(manifest.splits)) == ((), (), ["test"])
    assert manifest.values() == {"a": {0, 1}}
    opened, positions = records.open_splits(folder, manifest, ["test"])
    assert positions["test"].tolist() == list(range(6))
    np.testing.assert_array_equal(opened(np.arange(6))[:, 0, 0, 0], np.arange(6))
    assert tfds.builder_from_directory(folder).info.splits["test"].num_examples == 6
    with pytest.raises(DataError, match="set has no training images, and so no normalisation"):
        manifest.normalisation()


@pytest.mark.parametrize("normalisation", [None, Normalisation("imagenet", (0.4,) * 3, (0.2,) * 3)])
@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (None, r"has no split 'train' \(it has test\), so that nothing can be trained on it"),
        (2, "has test alone, and nothing to train on: prepare it with training images"),
    ],
)
def test_training_on_it_is_refused(folder, tmp_path, folds, message, normalisation):
    spec = dataset.ImageSpec(network="cbr_tiny", channels=3, normalisation=normalisation)
    options = {} if folds is None else {"folds": folds}
    data = Data(kind="records", path=str(folder), labels=("a",), **options)
    with pytest.raises(DataError, match=message):
        dataset.open_data(data, spec, tmp_path, seed=0)


@pytest.mark.parametrize(
    ("split", "mean", "message"),
    [
        ("test", [0.5], "must be empty, as there are no training images"),
        ("train", [], "must be one number in 0..1 per channel"),
    ],
)
def test_statistics_that_do_not_go_with_the_splits_are_refused(tmp_path, split, mean, message):
    items = [dataclasses.replace(each, split=split) for each in ITEMS]
    writer.write(tmp_path / "set", "set", items, FORM, source={})
    path = tmp_path / "set" / MANIFEST
    fields = digest.unseal(json.loads(path.read_text()))
    path.write_text(json.dumps(digest.seal({**fields, "mean": mean, "std": mean})))
    with pytest.raises(DataError, match=message):
        Manifest.read(tmp_path / "set")


def test_some_splits_of_a_set():
    items = [item(0), item(1, split="val"), item(2, split="test"), item(3, split="test")]
    kept, how = dealing.only(items, "the publisher's", ["test"])
    assert [each.id for each in kept] == ["i2", "i3"]
    assert how == "the publisher's; test alone, 2 images left out"
    assert dealing.only(items, "dealt", ["test", "train", "val"]) == (items, "dealt")
    for wanted, message in (
        (["tset"], "must name different splits of train, val, test"),
        (["test", "test"], "must name different splits"),
    ):
        with pytest.raises(ConfigError, match=message):
            dealing.only(items, "", wanted)
    with pytest.raises(ConfigError, match="no image is in the split 'val', the set has train;"):
        dealing.only(items[:1], "", ["val"])
