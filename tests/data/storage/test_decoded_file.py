"""The file of decoded pixels: images that were changed in it are never trained on.

TRANSFER_JAX_FLIPS=2000 python -m pytest -n 0 tests/data/test_decoded.py tries many flips.
"""

import itertools
import json
import shutil

import damage
import numpy as np
import pytest

from transfer_jax.core import digest
from transfer_jax.core.errors import DataError
from transfer_jax.data import pipeline
from transfer_jax.data.order import Order, shuffled
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import MANIFEST, Manifest

IMAGE = 32 * 32 * 3


@pytest.fixture
def folder(fundus, tmp_path):
    return shutil.copytree(fundus[0], tmp_path / "set", ignore=lambda *_: ["decoded"])


@pytest.fixture
def cached(folder):
    """The set's records, and the file of their decoded pixels."""
    found = reopened(folder)
    found.mapped()
    return found, found.cache()


def reopened(folder):
    return records.open_splits(folder, Manifest.read(folder), ["val"])[0]


def test_single_bit_flips_are_errors_that_name_the_file(cached):
    found, path = cached
    for damaged in damage.single_bits(path.parent, default=50):
        with damaged, pytest.raises(DataError, match=rf"{path} is damaged"):
            found.mapped()(np.arange(21))
    np.testing.assert_array_equal(found.mapped()(np.arange(21)), found(np.arange(21)))


def test_zeroed_pixels_are_found_in_the_image_that_has_them_and_only_there(cached):
    found, path = cached
    data = bytearray(path.read_bytes())
    data[5 * IMAGE : 6 * IMAGE] = bytes(IMAGE)  # as where a page never reached the disk
    path.write_bytes(data)
    mapped, name = found.mapped(), found.rows.ids[5]
    np.testing.assert_array_equal(mapped(np.array([4, 6, 4])), found(np.array([4, 6, 4])))
    for _ in range(2):
        with pytest.raises(
            DataError, match=rf"pixels of image {name} .* remove it, and the next run"
        ):
            mapped(np.array([4, 5]))
    path.unlink()
    np.testing.assert_array_equal(found.mapped()(np.arange(21)), found(np.arange(21)))


def test_training_stops_at_a_changed_image(cached, opened):
    found, path = cached
    targets = opened[2]
    with damage.flipped(path, 3 * IMAGE):
        order = Order(shuffled(np.arange(21)), 21, 7, 0)
        batches = pipeline.train_batches(found.mapped(), targets.columns(), order)
        with pytest.raises(DataError, match="do not match their checksum"):
            list(itertools.islice(batches, 3))


@pytest.mark.parametrize("change", [-1, 1, -IMAGE])
def test_a_file_of_another_length_is_an_error(cached, change):
    found, path = cached
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"x")
    with pytest.raises(DataError, match=rf"has {len(data) + change} bytes instead of {len(data)}"):
        found.mapped()


def test_pixels_of_another_set_are_not_taken(cached, folder, tmp_path):
    _, path = cached
    copy = shutil.copytree(folder, tmp_path / "other", ignore=lambda *_: ["decoded"])
    fields = digest.unseal(json.loads((copy / MANIFEST).read_text()))
    (copy / MANIFEST).write_text(json.dumps(digest.seal({**fields, "source": {"note": "another"}})))
    other = reopened(copy)
    assert other.cache().name != path.name
    other.cache().parent.mkdir()
    shutil.copy(path, other.cache())
    with pytest.raises(DataError, match="is damaged or of another data set"):
        other.mapped()
