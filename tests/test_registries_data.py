"""Adding a data set is a file and a registry line.

The test writes the file into a temporary package, as CONTRIBUTING.md tells, adds the line, and
prepares, opens and reads the data set through the program's own code: nothing else is touched.
"""

import cv2
import numpy as np
import pytest

from transfer_jax.core import mesh as meshes
from transfer_jax.data import dataset
from transfer_jax.data.config import Data
from transfer_jax.data.dataset import ImageSpec
from transfer_jax.data.loader import Loader
from transfer_jax.data.prepare import catalogue
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.tools import prepare

SPECKS = '''
"""Images named SPLIT_PATIENT_CLASS.png, with or without specks."""

from transfer_jax.data.items import Item, Listing
from transfer_jax.data.prepare.catalogue import raw_folders
from transfer_jax.data.prepare.catalogue.set_card import Card, choice

CLASSES = ("plain", "specks")

CARD = Card(
    title="Specks",
    layout="SPLIT_PATIENT_CLASS.png",
    labels="specks (0, 1)",
    patient="PATIENT of the file name",
    split="SPLIT of the file name",
    licence="CC0",
    citation="Nobody, Specks, 2026",
    address="https://example.org",
    channels=1,
    options={"patients": "which patients to list: all or odd (default: all)"},
)


def read(folder, *, patients="all"):
    odd = choice("patients", patients, ("all", "odd")) == "odd"
    items = []
    for path in raw_folders.images(raw_folders.existing(folder)):
        split, patient, name = path.stem.split("_")
        if not odd or int(patient) % 2:
            labels = {"specks": CLASSES.index(name)}
            items.append(Item(path.name, patient, labels, path, split))
    raw_folders.check(items, str(folder))
    return Listing(items, {"specks": list(CLASSES)}, ("specks are not real",))
'''


@pytest.fixture
def raw(tmp_path):
    """Twelve grey images of 32 pixels: name -> pixels [32, 32], and the folder of their files."""
    folder = tmp_path / "raw"
    folder.mkdir()
    rng = np.random.default_rng(0)
    pixels = {}
    for patient in range(12):
        split = "train" if patient < 8 else "val"
        name = f"{split}_{patient}_{('plain', 'specks')[patient % 3 == 0]}.png"
        pixels[name] = rng.integers(0, 256, (32, 32), np.uint8)
        assert cv2.imwrite(str(folder / name), pixels[name])
    return pixels, folder


def test_a_data_set_is_prepared_and_read_back(package, monkeypatch, command, raw, tmp_path):
    pixels, folder = raw
    monkeypatch.setitem(catalogue.DATA_SETS, "specks", package("specks", SPECKS))
    tool = command(prepare.main)
    assert "specks: Specks\n" in tool("--list")
    out = tool(folder, f"--out={tmp_path}/set", "--set=specks", "--size=32", "--encoding=png")
    assert "note: specks are not real" in out
    assert "train: 8 images of 8 patients, specks plain: 5, specks: 3" in out

    manifest = Manifest.read(tmp_path / "set")
    assert (manifest.source["set"], manifest.source["licence"]) == ("specks", "CC0")
    assert manifest.labels["specks"]["names"] == ["plain", "specks"]

    data = Data(kind="records", path=str(tmp_path / "set"), labels=("specks",))
    opened = dataset.open_data(data, ImageSpec(network="cbr_tiny", channels=1), tmp_path, seed=0)
    assert len(opened.part(0).train) == 8 and len(opened.part(0).val) == 4
    ids = opened.records.rows.ids.tolist()
    assert sorted(ids) == sorted(pixels)
    for name, image in zip(ids, opened.records(np.arange(12)), strict=True):
        np.testing.assert_array_equal(image[..., 0], pixels[name])
    (batch,) = Loader(opened, meshes.create(1), reads=1).validation(0, batch_size=4)
    expected = [float(ids[position].endswith("_specks.png")) for position in opened.part(0).val]
    np.testing.assert_array_equal(batch["targets"][:, 0], expected)


def test_options_of_a_data_set_are_flags(package, monkeypatch, command, raw, tmp_path):
    monkeypatch.setitem(catalogue.DATA_SETS, "specks", package("specks", SPECKS))
    tool = command(prepare.main)
    call = (raw[1], f"--out={tmp_path}/set", "--set=specks", "--size=32")
    assert "option patients='od' is unknown: did you mean 'odd'" in tool(
        *call, "--patients=od", check=2
    )
    tool(*call, "--patients=odd")
    assert Manifest.read(tmp_path / "set").splits["train"]["records"] == 4
    assert Manifest.read(tmp_path / "set").source["options"] == {"patients": "odd"}


def test_an_unknown_data_set_is_named_with_the_nearest_one(package, monkeypatch, command, raw):
    monkeypatch.setitem(catalogue.DATA_SETS, "specks", package("specks", SPECKS))
    error = command(prepare.main)(raw[1], "--out=set", "--set=spekcs", check=2)
    assert "unknown data set 'spekcs': did you mean 'specks'" in error
