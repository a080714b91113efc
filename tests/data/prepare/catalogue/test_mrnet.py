"""Knees: MRNet."""

import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare import catalogue, keeping

RNG = np.random.default_rng(0)


@pytest.fixture
def mrnet(tmp_path):
    root = tmp_path / "MRNet-v1.0"
    tables = {
        "train": {
            "abnormal": "0000,1\n0001,0\n",
            "acl": "0000,0\n0001,0\n",
            "meniscus": "0000,1\n0001,0\n",
        }
    }
    tables["valid"] = {"abnormal": "1130,1\n", "acl": "1130,0\n", "meniscus": "1130,0\n"}
    for part, of_labels in tables.items():
        for plane in ("axial", "coronal", "sagittal"):
            (root / part / plane).mkdir(parents=True)
        for label, text in of_labels.items():
            (root / f"{part}-{label}.csv").write_text(text)
    for case, slices in (
        ("train/sagittal/0000", 5),
        ("train/sagittal/0001", 2),
        ("valid/sagittal/1130", 3),
        ("train/axial/0000", 4),
    ):
        np.save(root / f"{case}.npy", RNG.integers(0, 256, (slices, 6, 7), np.uint8))
    return root


def test_mrnet_middle_slices(mrnet):
    listing = catalogue.read("mrnet", mrnet.parent)
    assert [(item.id, item.patient, item.split, item.labels) for item in listing.items] == [
        (
            "train/sagittal/0000",
            "0000",
            "train",
            {"abnormal": 1, "acl": 0, "meniscus": 1, "knee": 2},
        ),
        (
            "train/sagittal/0001",
            "0001",
            "train",
            {"abnormal": 0, "acl": 0, "meniscus": 0, "knee": 0},
        ),
        (
            "valid/sagittal/1130",
            "1130",
            "val",
            {"abnormal": 1, "acl": 0, "meniscus": 0, "knee": 0},
        ),  # meniscus is not abnormal
    ]
    assert listing.names == {"knee": ["normal", "acl", "meniscus"]}
    assert [item.study for item in listing.items] == ["0000", "0001", "1130"]
    for item, middle in zip(listing.items, (2, 1, 1), strict=True):
        np.testing.assert_array_equal(item.image(), np.load(mrnet / f"{item.id}.npy")[middle])
    assert listing.notes == (
        (
            "the publisher does not tell patients apart: every examination counts as a patient of"
            " its own"
        ),
    )


def test_mrnet_all_slices_of_another_plane_with_missing_files(mrnet):
    listing = catalogue.read("mrnet", mrnet, plane="axial", slices="all")
    assert [item.id for item in listing.items] == [
        *(f"train/axial/0000/{i}" for i in range(4)),
        "train/axial/0001",
        "valid/axial/1130",
    ]
    assert {item.patient for item in listing.items[:4]} == {"0000"}
    volume = np.load(mrnet / "train/axial/0000.npy")
    for i in range(4):
        np.testing.assert_array_equal(listing.items[i].image(), volume[i])
    assert listing.items[4].image == mrnet / "train/axial/0001.npy"
    with pytest.raises(DataError, match="names 3 images and none is there"):
        catalogue.read("mrnet", mrnet, plane="coronal")


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        (
            "valid-meniscus",
            "1131,0\n",
            (
                r"valid-meniscus\.csv and .*valid-abnormal\.csv name different examinations, such"
                r" as 1130"
            ),
        ),
        (
            "valid-meniscus",
            "1130,2\n",
            r"valid-meniscus\.csv, line 1, column 'label': 2 is out of range \(0, 1\)",
        ),
        ("valid-meniscus", "", r"valid-meniscus\.csv has no rows"),
        ("valid-meniscus", ",1\n", r"line 1: empty cell in column 'case'"),
        ("train-acl", "case,label\n0000,1\n", "line 1, column 'label': 'label' is no number"),
        ("train-abnormal", "../0000,1\n0001,1\n", "name different examinations"),
    ],
)
def test_mrnet_refuses_tables(mrnet, table, text, message):
    (mrnet / f"{table}.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        catalogue.read("mrnet", mrnet)


def test_mrnet_refuses_a_missing_table_and_what_is_no_volume(mrnet):
    np.save(mrnet / "train/sagittal/0000.npy", np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match=r"0000\.npy is no volume .* its shape is \(3, 4\)"):
        catalogue.read("mrnet", mrnet, slices="all")
    (mrnet / "train/sagittal/0001.npy").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"0001\.npy is not a readable array"):
        catalogue.read("mrnet", mrnet).items[1].image()
    np.save(mrnet / "train/sagittal/0001.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match=r"0001\.npy is not a readable array"):
        catalogue.read("mrnet", mrnet).items[1].image()
    (mrnet / "valid-acl.csv").unlink()
    with pytest.raises(DataError, match=r"valid-acl\.csv is missing"):
        catalogue.read("mrnet", mrnet)


@pytest.mark.parametrize(
    ("slices", "of_five", "of_two", "of_three"),
    [
        ("1", None, None, None),
        ("2", [1, 2], [0, 1], [0, 1]),
        ("3", [1, 2, 3], [0, 1], [0, 1, 2]),
    ],
)
def test_some_middle_slices(mrnet, slices, of_five, of_two, of_three):
    listing = catalogue.read("mrnet", mrnet, slices=slices)
    cases = ("train/sagittal/0000", "train/sagittal/0001", "valid/sagittal/1130")
    if slices == "1":
        middle = catalogue.read("mrnet", mrnet)
        assert [item.id for item in listing.items] == list(cases)
        for one, other in zip(listing.items, middle.items, strict=True):
            np.testing.assert_array_equal(one.image(), other.image())
        return
    numbers = dict(zip(cases, (of_five, of_two, of_three), strict=True))
    assert [item.id for item in listing.items] == [
        f"{case}/{i}" for case in cases for i in numbers[case]
    ]
    for item in listing.items:
        case, _, number = item.id.rpartition("/")
        np.testing.assert_array_equal(item.image(), np.load(mrnet / f"{case}.npy")[int(number)])
        assert item.study == item.patient == case[-4:]
    kept = keeping.select(listing, ["plane", "slice"]).items
    assert [tuple(item.columns.values()) for item in kept[:2]] == [
        ("sagittal", str(of_five[0])),
        ("sagittal", str(of_five[1])),
    ]


@pytest.mark.parametrize(("both", "value"), [("acl", 1), ("meniscus", 2), ("missing", MISSING)])
def test_a_knee_with_both_tears(mrnet, both, value):
    (mrnet / "train-acl.csv").write_text("0000,1\n0001,1\n")
    listing = catalogue.read("mrnet", mrnet, both=both)
    assert [item.labels["knee"] for item in listing.items] == [value, 1, 0]
    counted = "have no label knee" if both == "missing" else f"are {both} of the label knee"
    assert listing.notes[1] == (
        "examinations with a tear of both the ligament and the meniscus: 1; they"
        f" {counted} (--both)"
    )
    (mrnet / "train-acl.csv").write_text("0000,NA\n0001,0\n")
    knees = [item.labels["knee"] for item in catalogue.read("mrnet", mrnet, both=both).items]
    assert knees == [MISSING, 0, 0]


def test_options_that_mrnet_does_not_have(mrnet):
    for options in ({"slices": "4"}, {"slices": "0"}, {"both": "normal"}, {"plane": "oblique"}):
        with pytest.raises(DataError, match="is unknown"):
            catalogue.read("mrnet", mrnet, **options)
    with pytest.raises(ConfigError, match="no column 'age'; it has plane"):
        keeping.select(catalogue.read("mrnet", mrnet), ["age"])
