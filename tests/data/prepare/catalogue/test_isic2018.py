"""Skin: ISIC 2018."""

import pytest
from raw_trees import touch

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import catalogue
from transfer_jax.data.prepare.catalogue import isic2018


def part(folder, name, images):
    table = folder / f"ISIC2018_Task3_{name}_GroundTruth" / f"ISIC2018_Task3_{name}_GroundTruth.csv"
    table.parent.mkdir(parents=True)
    lines = [
        f"{image},{','.join('1.0' if i == value else '0.0' for i in range(7))}"
        for image, value in images
    ]
    table.write_text("\n".join([f"image,{','.join(isic2018.DIAGNOSES)}", *lines]) + "\n")
    touch(folder, *(f"ISIC2018_Task3_{name}_Input/{image}.jpg" for image, _ in images))
    return table


@pytest.fixture
def isic(tmp_path):
    part(tmp_path, "Training", [("ISIC_1", 1), ("ISIC_2", 0), ("ISIC_3", 6)])
    return tmp_path


GROUPINGS = "ISIC2018_Task3_Training_LesionGroupings.csv"


@pytest.mark.parametrize("place", ["", "ISIC2018_Task3_Training_GroundTruth"])
def test_isic2018_with_lesions(isic, place):
    (isic / place / GROUPINGS).write_text(
        "image,lesion_id,diagnosis_confirm_type\nISIC_1,HAM_7,x\nISIC_2,HAM_7,x\nISIC_3,HAM_8,x\n"
    )
    listing = catalogue.read("isic2018", isic)
    assert [(item.id, item.patient, item.labels, item.split) for item in listing.items] == [
        ("ISIC2018_Task3_Training_Input/ISIC_1.jpg", "HAM_7", {"diagnosis": 1}, None),
        ("ISIC2018_Task3_Training_Input/ISIC_2.jpg", "HAM_7", {"diagnosis": 0}, None),
        ("ISIC2018_Task3_Training_Input/ISIC_3.jpg", "HAM_8", {"diagnosis": 6}, None),
    ]
    assert listing.names == {"diagnosis": ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]}
    assert listing.notes == ()
    (isic / place / GROUPINGS).write_text("image,lesion_id\nISIC_1,HAM_7\nISIC_2,HAM_7\n")
    with pytest.raises(DataError, match=f"line 4: image ISIC_3 is not in {GROUPINGS}"):
        catalogue.read("isic2018", isic)


def test_isic2018_parts(isic):
    assert catalogue.read("isic2018", isic).notes == (
        f"there is no {GROUPINGS}: images of one lesion may be in several splits",
    )
    part(isic, "Test", [("ISIC_9", 5)])
    listing = catalogue.read("isic2018", isic)
    assert [item.split for item in listing.items] == ["train_val"] * 3 + ["test"]
    part(isic, "Validation", [("ISIC_8", 2)])
    listing = catalogue.read("isic2018", isic)
    assert [item.split for item in listing.items] == ["train"] * 3 + ["val", "test"]
    assert [item.patient for item in listing.items] == [item.id for item in listing.items]
    assert listing.items[3].labels == {"diagnosis": 2}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ISIC_2,1.0,0.0", "ISIC_2,1.0,1.0", "line 3: image ISIC_2 has 2 diagnoses"),
        ("ISIC_2,1.0,0.0", "ISIC_2,0.0,0.0", "line 3: image ISIC_2 has 0 diagnoses"),
        (
            "ISIC_2,1.0,0.0",
            "ISIC_2,0.5,0.5",
            r"line 3, column 'MEL': 0\.5 is out of range \(0, 1\)",
        ),
        ("ISIC_2,1.0,0.0", "ISIC_2,nan,0.0", "line 3: image ISIC_2 has no value for MEL"),
        ("ISIC_", "ISIC_000", "names 3 images and none is there"),
    ],
)
def test_isic2018_refuses(isic, old, new, message):
    table = isic / "ISIC2018_Task3_Training_GroundTruth" / "ISIC2018_Task3_Training_GroundTruth.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        catalogue.read("isic2018", isic)
