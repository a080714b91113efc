"""Rows of one image, splits in other words, and other names of images, in a user's own table."""

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare import catalogue


@pytest.fixture
def made(tmp_path):
    """Makes a raw folder of the rows of a table, with the images 0.png to 5.png."""

    def of(*rows, header="image,patient,split,grade", separator=","):
        for i in range(6):
            (tmp_path / f"{i}.png").write_bytes(b"")
        text = "\n".join([header, *rows]).replace(",", separator)
        (tmp_path / "labels.csv").write_text(text + "\n")
        return tmp_path

    return of


def test_equal_rows_are_one_with_a_note(made):
    raw = made(
        "0.png,1,train,1",
        "1.png,2,val,0",
        "0.png,1.0,Training,1.0",
        "0.PNG,1,train,01",
        "./1.png,2,valid,0",
    )
    listing = catalogue.read("table", raw, labels="grade")
    assert [
        (item.id, item.patient, item.split, item.labels["grade"]) for item in listing.items
    ] == [
        ("0.png", "1", "train", 1),
        ("1.png", "2", "val", 0),
    ]
    assert (
        "3 rows repeat what an earlier row says of the same image (line 4 those of line 2): each"
        " image counts once" in listing.notes
    )


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            "0.png,2,train,1",
            (
                "line 4 and line 2: both are about image 0.png, and its patient is '2' in the one"
                " and '1' in the other"
            ),
        ),
        ("0.png,1,val,1", "its split is 'val' in the one and 'train' in the other"),
        (
            "0.png,1,train,2",
            "its label 'grade' is 2 in the one and 1 in the other: keep the row that is right",
        ),
        ("0.png,1,train,NA", "its label 'grade' is missing in the one and 1 in the other"),
    ],
)
def test_rows_that_contradict_each_other_are_an_error_with_both_lines(made, second, message):
    with pytest.raises(DataError, match=message):
        catalogue.read("table", made("0.png,1,train,1", "1.png,2,val,0", second), labels="grade")


def test_a_contradiction_in_words_shows_the_words(made):
    with pytest.raises(
        DataError, match="its label 'grade' is 'mild' in the one and 'Severe' in the other"
    ):
        catalogue.read("table", made("0.png,1,train,Severe", "0.png,1,train,mild"), labels="grade")


def test_splits_in_other_words_are_understood_and_told(made):
    raw = made(
        "0.png,0,Training,1",
        "1.png,1,validation,0",
        "2.png,2,valid,0",
        "3.png,3,TEST,1",
        "4.png,4,train,1",
    )
    listing = catalogue.read("table", raw, labels="grade")
    assert [item.split for item in listing.items] == ["train", "val", "val", "test", "train"]
    assert "column 'split': 'valid' (1) counts as 'val'" in listing.notes
    assert not any("'train' (" in note for note in listing.notes)


def test_a_german_table(made):
    raw = made(
        "0.png,7,0,'1|0'",
        "1.png,7.0,0,2",
        "2.png,8,1,NA",
        header="image,patient,x,grade",
        separator=";",
    )
    text = (raw / "labels.csv").read_text().replace("'", "").replace("|", ",")
    (raw / "labels.csv").write_bytes(text.replace("\n", "\r\n").encode("utf-16"))
    listing = catalogue.read("table", raw, labels="grade", split="")
    assert [(item.patient, item.labels["grade"]) for item in listing.items] == [
        ("7", 1),
        ("7", 2),
        ("8", MISSING),
    ]


def test_ids_without_ending_and_images_that_the_table_does_not_name(made):
    listing = catalogue.read(
        "table", made("0,1,train,1", "1.0,2,val,0", "2.jpg,3,val,0"), labels="grade"
    )
    assert [item.id for item in listing.items] == ["0.png", "1.png", "2.png"]
    assert listing.notes == (
        "images whose files are named otherwise than in the table: 3 by ending (0.png for 0)",
        "left out: images that the table does not name: 3 (3.png)",
    )


def test_other_words_for_missing(made):
    raw = made("0.png,0,train,none", "1.png,1,val,mild", "2.png,2,val,?", "3.png,3,val,NA")
    assert catalogue.read("table", raw, labels="grade").names == {"grade": ["?", "mild"]}
    listing = catalogue.read("table", raw, labels="grade", missing="?,na")
    assert listing.names == {"grade": ["mild", "none"]}
    assert [item.labels["grade"] for item in listing.items] == [1, 0, MISSING, MISSING]
    assert (
        "2 cells count as missing in column 'grade' ('?': 1, 'NA': 1); --missing says which"
        " words do" in listing.notes
    )


def test_a_patient_that_is_missing_is_an_error(made):
    with pytest.raises(
        DataError, match="line 2: 'NA' in column 'patient' stands for a missing value"
    ):
        catalogue.read("table", made("0.png,NA,train,1"), labels="grade")
    assert (
        catalogue.read("table", made("0.png,NA,train,1"), labels="grade", missing="")
        .items[0]
        .patient
        == "NA"
    )


def test_a_header_in_other_letters_is_named(made):
    with pytest.raises(DataError, match="has no column 'image': did you mean 'Image'"):
        catalogue.read(
            "table", made("0.png,0,train,1", header="Image,patient,split,grade"), labels="grade"
        )
