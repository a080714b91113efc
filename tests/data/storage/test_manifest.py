"""Manifests: read back as written, or refused.

TRANSFER_JAX_FLIPS=2000 python -m pytest -n 0 tests/data/test_spec.py tries many flips.
"""

import json
import shutil

import damage
import pytest

from transfer_jax.core import digest
from transfer_jax.core.errors import DataError
from transfer_jax.data.storage.manifest import MANIFEST, Manifest


@pytest.fixture
def folder(fundus, tmp_path):
    shutil.copy(fundus[0] / MANIFEST, tmp_path)
    return tmp_path


def fields_of(folder):
    return digest.unseal(json.loads((folder / MANIFEST).read_text()))


def seal(folder, fields):
    """Writes a manifest by hand, with the digest that it should have."""
    (folder / MANIFEST).write_text(json.dumps(digest.seal(fields)))


def test_a_manifest_carries_its_digest(fundus, folder):
    manifest = Manifest.read(folder)
    assert manifest.digest == json.loads((folder / MANIFEST).read_text())["digest"]
    assert manifest.to_json() == (folder / MANIFEST).read_text()
    assert manifest == Manifest.read(fundus[0])


def test_single_bit_flips_never_give_another_manifest(folder):
    manifest, refused = Manifest.read(folder), 0
    for damaged in damage.single_bits(folder, default=200):
        with damaged:
            found, message = damage.outcome(lambda: Manifest.read(folder), DataError)
            if message is None:
                assert found == manifest
            else:
                assert str(folder / MANIFEST) in message
                refused += 1
    assert refused


def test_folders_without_a_manifest_of_this_program_are_errors(tmp_path):
    with pytest.raises(DataError, match="does not exist: make it with"):
        Manifest.read(tmp_path / "none")
    with pytest.raises(DataError, match="has no manifest"):
        Manifest.read(tmp_path)
    for content, message in (
        ("{", "not a manifest"),
        ('{"format": 2}', "has format 2, this program reads 3: prepare the data set again"),
        ('{"format": 3, "x": 2}', "it has no digest"),
        ('{"format": 3, "digest": "x"}', "does not match its own digest"),
        ("[]", "not a manifest"),
        ("[" * 100_000, "not a manifest"),
    ):
        (tmp_path / MANIFEST).write_text(content)
        with pytest.raises(DataError, match=message):
            Manifest.read(tmp_path)


def edited(fields, path, value):
    """The fields with one of them replaced, or taken out where the value is None."""
    fields = json.loads(json.dumps(fields))
    *parents, last = path
    place = fields
    for step in parents:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return fields


def test_an_edited_manifest_is_refused(folder):
    path = folder / MANIFEST
    for place, value in (
        (("std",), [0.5] * 3),
        (("splits", "train", "patients"), 7),
        (("source",), {"a": 1}),
    ):
        fields = json.loads(path.read_text())
        path.write_text(json.dumps(edited(fields, place, value)))
        with pytest.raises(
            DataError, match="does not match its own digest: it was changed or damaged"
        ):
            Manifest.read(folder)
        path.write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("std",), [0.1, 0.0, 0.1], "std is .* must be positive"),
        (("std",), [0.1, float("nan"), 0.1], "std is .* must be one number in 0..1 per channel"),
        (("std",), [0.1, 0.1], "std is .* per channel"),
        (("mean",), [0.1, 1.5, 0.1], "mean is .* per channel"),
        (("mean",), [0.1, float("inf"), 0.1], "mean is .* per channel"),
        (("mean",), [0.1, -0.1, 0.1], "mean is .* per channel"),
        (("mean",), [0.1, 10**400, 0.1], "mean is .* per channel"),
        (("mean",), [0.1, "0.1", 0.1], "mean is .* per channel"),
        (("mean",), 0.1, "not a manifest"),
        (("channels",), 4, "channels is 4 and must be 1 or 3"),
        (("channels",), 1, "mean is .* per channel"),
        (("channels",), True, "channels is True"),
        (("height",), 0, "height is 0 and must lie in 1"),
        (("width",), 1 << 20, "width is 1048576 and must lie in 1"),
        (("width",), 32.0, "width is 32.0"),
        (("encoding",), "bmp", "encoding is 'bmp'"),
        (("name",), 3, "name is not a str"),
        (("source",), [], "source is not a dict"),
        (("overlap",), -1, "overlap is -1"),
        (("splits", "dev"), {"records": 0, "shards": []}, "it has a split 'dev'"),
        (("splits", "train", "records"), 49, "shards of the split 'train' do not have 49 records"),
        (("splits", "train", "records"), -50, "negative or broken counts"),
        (("splits", "train", "patients"), -1, "has -1 patients"),
        (("splits", "train", "patients"), 51, "has 51 patients"),
        (("splits", "train", "shards", 0, "bytes"), -1, "negative or broken counts"),
        (("splits", "train", "shards", 0, "file"), "../x", "'../x' is not in the folder"),
        (("splits", "train", "rows", "file"), "/etc/passwd", "'/etc/passwd' is not in the folder"),
        (("splits", "train", "rows", "file"), "", "'' is not in the folder"),
        (("labels", "dots", "counts", "train"), {"0": -1, "1": 51}, "label 'dots' has the counts"),
        (("labels", "dots", "counts", "train"), {"-3": 50}, "label 'dots' has the counts"),
        (("labels", "dots", "counts", "train"), {"0": 49}, "label 'dots' counts 49 images"),
        (("labels", "dots", "counts", "train"), {"x": 50}, "not a manifest"),
        (("labels", "dots", "counts"), None, "not a manifest"),
        (("rejected",), None, "not a manifest"),
        (("format",), None, "not a manifest"),
        (("more",), 1, "not a manifest"),
    ],
)
def test_values_that_no_data_set_has_are_refused_whatever_the_digest(folder, place, value, message):
    seal(folder, edited(fields_of(folder), place, value))
    with pytest.raises(DataError, match=message):
        Manifest.read(folder)
