"""Mammograms: CBIS-DDSM."""

import pytest
from raw_trees import touch

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import catalogue

HEADER = (
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality"
    " type,mass shape,mass margins,assessment,pathology,subtlety,image file path,cropped image"
    " file path,ROI mask file path"
)


def case(kind, part, patient, number, pathology):
    name = f"{kind}-{part}_{patient}_LEFT_CC"
    crop = (  # as published, with a line end in the cell
        f'"{name}_{number}/1.3.6/1.3.{number}/000000.dcm\n"'
    )
    mask = f"{name}_{number}/1.3.6/1.3.7/000001.dcm"
    return (
        f"{patient},3,LEFT,CC,{number},mass,OVAL,SPICULATED,4,{pathology},4,"
        f"{name}/1.3.5/1.3.4/000000.dcm,{crop},{mask}"
    )


def full(kind, part, patient):
    return f"{kind}-{part}_{patient}_LEFT_CC/1.3.5/1.3.4/000000.dcm"


@pytest.fixture
def ddsm(tmp_path):
    tables = {
        "mass_case_description_train_set.csv": [
            case("Mass", "Training", "P_00001", 1, "BENIGN"),
            case("Mass", "Training", "P_00001", 2, "MALIGNANT"),
            case("Mass", "Training", "P_00002", 1, "BENIGN_WITHOUT_CALLBACK"),
            case("Mass", "Training", "P_00004", 1, "MALIGNANT"),
        ],
        "mass_case_description_test_set.csv": [case("Mass", "Test", "P_00003", 1, "MALIGNANT")],
        "calc_case_description_test_set.csv": [case("Calc", "Test", "P_00002", 1, "BENIGN")],
    }  # fmt: skip
    for name, rows in tables.items():
        (tmp_path / name).write_text("\n".join([HEADER, *rows]) + "\n")
    mass = [full("Mass", "Training", patient) for patient in ("P_00001", "P_00002", "P_00004")]
    touch(
        tmp_path / "CBIS-DDSM",
        *mass,
        full("Mass", "Test", "P_00003"),
        full("Calc", "Test", "P_00002"),
    )
    return tmp_path


def test_cbis_ddsm(ddsm):
    listing = catalogue.read("cbis_ddsm", ddsm)
    assert [(item.id, item.patient, item.labels, item.split) for item in listing.items] == [
        (full("Mass", "Training", "P_00001"), "P_00001", {"malignant": 1}, "train_val"),
        (full("Mass", "Training", "P_00002"), "P_00002", {"malignant": 0}, "test"),
        (full("Mass", "Training", "P_00004"), "P_00004", {"malignant": 1}, "train_val"),
        (full("Mass", "Test", "P_00003"), "P_00003", {"malignant": 1}, "test"),
        (full("Calc", "Test", "P_00002"), "P_00002", {"malignant": 0}, "test"),
    ]
    assert all(item.image == ddsm / "CBIS-DDSM" / item.id for item in listing.items)
    assert listing.notes == (
        (
            "1 training images of 1 patients who are also in the test set (masses and"
            " calcifications overlap) go to the test"
        ),
        "6 abnormalities are on 5 images: an image is malignant if one of its abnormalities is",
    )


def test_cbis_ddsm_cropped_converted_and_renamed(ddsm):
    touch(
        ddsm,
        "Mass-Training_P_00001_LEFT_CC_1/1.3.6/1.3.1/000000.png",  # converted
        # As newer downloads have it.
        "Mass-Training_P_00001_LEFT_CC_2/10-04-2016-DDSM/1-cropped images-1/1-1.dcm",
        "Mass-Training_P_00001_LEFT_CC_2/10-04-2016-DDSM/1-ROI mask images-2/1-2.dcm",
        "Mass-Training_P_00002_LEFT_CC_1/x/y/1-1.dcm",
    )
    listing = catalogue.read("cbis_ddsm", ddsm, images="cropped")
    assert [item.id for item in listing.items[:4]] == [
        "Mass-Training_P_00001_LEFT_CC_1/1.3.6/1.3.1/000000.png",
        "Mass-Training_P_00001_LEFT_CC_2/10-04-2016-DDSM/1-cropped images-1/1-1.dcm",
        "Mass-Training_P_00002_LEFT_CC_1/x/y/1-1.dcm",
        "Mass-Training_P_00004_LEFT_CC_1/1.3.6/1.3.1/000000.dcm",  # missing: the writer counts it
    ]
    assert [item.labels["malignant"] for item in listing.items] == [0, 1, 0, 1, 1, 0]
    assert [item.image.is_file() for item in listing.items] == [True] * 3 + [False] * 3


def test_cbis_ddsm_without_test_tables_deals_all(ddsm):
    for table in ("mass", "calc"):
        (ddsm / f"{table}_case_description_test_set.csv").unlink()
    listing = catalogue.read("cbis_ddsm", ddsm)
    assert {item.split for item in listing.items} == {None}
    assert listing.notes[0] == "there is no table of the test set: patients are dealt to all splits"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "MALIGNANT",
            "MALIGN",
            "line 4, column 'pathology': 'MALIGN' is none of MALIGNANT, BENIGN",
        ),
        (
            "P_00001,3,LEFT,CC,2",
            "P_00009,3,LEFT,CC,2",
            r"line 4 and line 2: image .* belongs to P_00009 and to P_00001",
        ),
        ("P_00001,3,LEFT,CC,2", ",3,LEFT,CC,2", "line 4: empty cell in column 'patient_id'"),
        ("Mass-Training", "../Mass-Training", "line 2: path .* leaves the raw folder"),
        (",pathology,", ",path,", "has no column 'pathology'"),
    ],
)
def test_cbis_ddsm_refuses(ddsm, old, new, message):
    table = ddsm / "mass_case_description_train_set.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        catalogue.read("cbis_ddsm", ddsm)


def test_cbis_ddsm_needs_a_table_and_an_image(ddsm):
    (ddsm / "CBIS-DDSM").rename(ddsm / "elsewhere")
    with pytest.raises(DataError, match="names 5 images and none is there"):
        catalogue.read("cbis_ddsm", ddsm)
    with pytest.raises(DataError, match=r"has no mass_case_description_train_set\.csv"):
        catalogue.read("cbis_ddsm", ddsm / "elsewhere")
