"""The two readers of a user's own images: a table, and a folder for each class."""

import pytest
from raw_trees import touch

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare import catalogue


@pytest.fixture
def raw(tmp_path):
    """Six images in a table, with umlauts and spaces in their names."""
    folder = tmp_path / "röntgen bilder"
    touch(folder, *(f"images/bild {i} ä.png" for i in range(6)))
    splits = ["train", "train", "train_val", "train_val", "val", "test"]
    lines = [
        f"images/bild {i} ä.png, p{i // 2} ,{splits[i]},{'' if i == 3 else i % 5},{'LR'[i % 2]}"
        for i in range(6)
    ]
    (folder / "labels.csv").write_text(
        "\n".join(["image,patient,split,grade,side", *lines]) + "\n", encoding="utf-8-sig"
    )
    return folder


def spoil(raw, line, column, cell):
    lines = (raw / "labels.csv").read_text(encoding="utf-8-sig").splitlines()
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = cell
    lines[line - 1] = ",".join(cells)
    (raw / "labels.csv").write_text("\n".join(lines) + "\n")


def test_table_gives_numbers_words_splits_and_patients(raw):
    listing = catalogue.read("table", raw, labels="grade, side")
    assert listing.names == {"side": ["L", "R"]}
    assert listing.notes == ("1 cell counts as missing in column 'grade' (blank: 1)",)
    assert [item.id for item in listing.items] == [f"images/bild {i} ä.png" for i in range(6)]
    assert [item.patient for item in listing.items] == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert [item.split for item in listing.items] == [
        "train",
        "train",
        "train_val",
        "train_val",
        "val",
        "test",
    ]
    assert [item.labels for item in listing.items] == [
        {"grade": g, "side": s} for g, s in zip([0, 1, 2, MISSING, 4, 0], [0, 1] * 3, strict=True)
    ]
    assert all(item.image == raw / item.id and item.image.is_file() for item in listing.items)


def test_table_without_patients_and_splits(raw):
    listing = catalogue.read("table", raw, labels="grade", patient="", split="")
    assert [item.patient for item in listing.items] == [item.id for item in listing.items]
    assert {item.split for item in listing.items} == {None}
    assert listing.notes[0] == "no patients are given: every image counts as a patient of its own"


def test_table_elsewhere_with_other_columns(raw):
    (raw / "tables").mkdir()
    text = (
        (raw / "labels.csv").read_text(encoding="utf-8-sig").replace("image,patient", "file,who", 1)
    )
    (raw / "tables" / "meine.csv").write_text(text)
    assert (
        catalogue.read(
            "table", raw, labels="side", table="tables/meine.csv", image="file", patient="who"
        )
        .items[5]
        .patient
        == "p2"
    )


def test_table_takes_floats_nan_and_mixed_columns(raw):
    for line, cell in ((2, "1.0"), (3, "NaN"), (4, "3.0")):
        spoil(raw, line, "grade", cell)
    assert [
        item.labels["grade"] for item in catalogue.read("table", raw, labels="grade").items
    ] == [1, MISSING, 3, MISSING, 4, 0]
    spoil(raw, 7, "grade", "unclear")
    listing = catalogue.read("table", raw, labels="grade")
    assert listing.names == {"grade": ["1", "3", "4", "unclear"]}
    assert [item.labels["grade"] for item in listing.items] == [0, MISSING, 1, MISSING, 2, 3]
    assert listing.notes == (
        (
            "column 'grade' holds words and numbers, so that all of them count as words: '1', '3',"
            " '4', 'unclear' (--missing=WORD makes a word a missing value)"
        ),
        (
            "2 cells count as missing in column 'grade' ('NaN': 1, blank: 1); --missing says which"
            " words do"
        ),
    )


def test_table_keeps_a_file_that_is_missing(raw):
    (raw / "images/bild 5 ä.png").unlink()
    assert len(catalogue.read("table", raw, labels="grade").items) == 6


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (None, {"labels": "grad"}, "has no column 'grad': did you mean 'grade'"),
        (None, {"labels": "grade,"}, "must name different columns"),
        (None, {"labels": "grade,grade"}, "must name different columns"),
        (None, {"table": "../labels.csv"}, "option table: path .* leaves the raw folder"),
        (None, {"table": "other.csv"}, r"other\.csv is missing"),
        (None, {"patient": "patients"}, "has no column 'patients': did you mean 'patient'"),
        ((5, "split", ""), {}, "line 5: empty cell in column 'split'"),
        ((5, "patient", " "), {}, "line 5: empty cell in column 'patient'"),
        ((5, "image", ""), {}, "line 5: empty cell in column 'image'"),
        ((5, "image", "../x.png"), {}, r"line 5: path '\.\./x\.png' leaves the raw folder"),
        ((5, "split", "dev"), {}, "line 5: split 'dev' is none of train, val, test, train_val"),
        ((5, "grade", "-1"), {}, "line 5, column 'grade': -1 is out of range"),
        ((5, "grade", "1.5"), {}, r"line 5, column 'grade': 1\.5 is out of range"),
        ((5, "grade", "inf"), {}, "line 5, column 'grade': 'inf' is no number"),
    ],
)
def test_table_refuses(raw, change, options, message):
    if change:
        spoil(raw, *change)
    with pytest.raises(DataError, match=message):
        catalogue.read("table", raw, **{"labels": "grade", **options})


def test_table_refuses_an_empty_column_images_that_are_not_there_and_no_folder(raw):
    for line in range(2, 8):
        spoil(raw, line, "side", "")
    with pytest.raises(DataError, match="column 'side' is empty in every row"):
        catalogue.read("table", raw, labels="side")
    for image in (raw / "images").iterdir():
        image.rename(image.with_name(f"neu {image.name}"))
    with pytest.raises(
        DataError,
        match=(
            r"names 6 images and none is there, .* holds 6 images under other names, images/neu"
            r" bild 0 ä\.png for one"
        ),
    ):
        catalogue.read("table", raw, labels="grade")
    with pytest.raises(DataError, match="nowhere does not exist"):
        catalogue.read("table", raw / "nowhere", labels="grade")


def test_folders_of_classes(tmp_path):
    touch(
        tmp_path,
        "gut/b.JPG",
        "gut/a.png",
        "gut/.hidden.png",
        "gut/notes.txt",
        "böse art/c 1.tiff",
        "böse art/d.dcm",
        ".git/x.png",
        "readme.txt",
    )
    listing = catalogue.read("folders", tmp_path)
    assert listing.names == {"class": ["böse art", "gut"]}
    found = [(item.id, item.labels["class"], item.split, item.patient) for item in listing.items]
    assert found == [
        ("böse art/c 1.tiff", 0, None, "böse art/c 1.tiff"),
        ("böse art/d.dcm", 0, None, "böse art/d.dcm"),
        ("gut/a.png", 1, None, "gut/a.png"), ("gut/b.JPG", 1, None, "gut/b.JPG"),
    ]  # fmt: skip
    assert listing.notes == (
        "no patients are given: every image counts as a patient of its own",
        (
            "left out: files ending in .txt: 2 (gut/notes.txt); hidden or system files: 1"
            " (gut/.hidden.png)"
        ),
    )


@pytest.mark.parametrize("pattern", [r"^(\d+)_", r"^(?P<patient>\d+)_(a|b)"])
def test_folders_of_splits_with_patients(tmp_path, pattern):
    touch(
        tmp_path,
        "train/x/1_a.png",
        "train/y/2_a.png",
        "train/y/2_b.png",
        "test/x/3_a.png",
        "test/y/4_a.png",
    )
    listing = catalogue.read("folders", tmp_path, patient=pattern)
    assert [(item.id, item.patient, item.split) for item in listing.items] == [
        ("train/x/1_a.png", "1", "train"), ("train/y/2_a.png", "2", "train"),
        ("train/y/2_b.png", "2", "train"),
        ("test/x/3_a.png", "3", "test"), ("test/y/4_a.png", "4", "test"),
    ]  # fmt: skip
    assert listing.notes == ()


@pytest.mark.parametrize(
    ("names", "patient", "message"),
    [
        (["a/1.png", "b/readme.txt"], "", "class folder .*b has no images"),
        (["a.png"], "", "has no folders: it needs one for each class"),
        (["train/1.png"], "", "train has no folders"),
        (["train/a/1.png", "b/1.png"], "", "has train beside b"),
        (
            ["train/a/1.png", "train/b/1.png", "val/a/1.png"],
            "",
            "val has the classes a, other folders have a, b",
        ),
        (["a/1_x.png", "a/x.png"], r"^(\d+)_", r"finds no patient in the name of .*a/x\.png"),
        (["a/1.png"], "(", r"option patient='\(' is no regular expression"),
        (["a/1.png"], r"\d+", "needs one group in round brackets"),
        (["a/1.png"], r"(\d)(\d)", "needs one group in round brackets"),
    ],
)
def test_folders_refuse(tmp_path, names, patient, message):
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=message):
        catalogue.read("folders", tmp_path, patient=patient)
