"""Sheets, the card of every set, and the two readers of a user's own images: a table, and a folder for each class."""

import dataclasses
import importlib
import inspect

import pytest

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import catalogue
from transfer_jax.data.catalogue import cells, files, sheets
from transfer_jax.data.items import MISSING, Item


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


@pytest.fixture
def raw(tmp_path):
    """Six images in a table, with umlauts and spaces in their names."""
    folder = tmp_path / "röntgen bilder"
    touch(folder, *(f"images/bild {i} ä.png" for i in range(6)))
    splits = ["train", "train", "train_val", "train_val", "val", "test"]
    lines = [f"images/bild {i} ä.png, p{i // 2} ,{splits[i]},{'' if i == 3 else i % 5},{'LR'[i % 2]}" for i in range(6)]
    (folder / "labels.csv").write_text("\n".join(["image,patient,split,grade,side", *lines]) + "\n", encoding="utf-8-sig")
    return folder


def spoil(raw, line, column, cell):
    lines = (raw / "labels.csv").read_text(encoding="utf-8-sig").splitlines()
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = cell
    lines[line - 1] = ",".join(cells)
    (raw / "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", [*catalogue.names(), "tfds:chexpert"])
def test_every_card_is_complete_and_names_the_readers_options(name):
    card = catalogue.card(name)
    for field in dataclasses.fields(card):
        value = getattr(card, field.name)
        if field.name not in ("channels", "options", "required"):
            assert isinstance(value, str) and len(value) > 2, field.name
    assert card.channels in (1, 3)
    module = importlib.import_module(f"transfer_jax.data.catalogue.{'tfds' if ':' in name else name}")
    folder, *options = inspect.signature(module.read).parameters.values()
    assert folder.name == "folder"
    assert all(option.kind is inspect.Parameter.KEYWORD_ONLY and option.annotation is str for option in options)
    assert {option.name for option in options} - {"name"} == set(card.options)
    assert {option.name for option in options if option.default is inspect.Parameter.empty} - {"name"} == set(card.required)
    assert all(len(text) > 5 for text in card.options.values())


def test_names_and_an_unknown_name():
    assert catalogue.names() == (
        "table", "folders", "chexpert", "chestxray14", "kermany", "eyepacs", "busi", "ddti", "cbis_ddsm", "mrnet",
        "patchcamelyon", "pcam_small", "isic2018", "medmnist",
    )  # fmt: skip
    with pytest.raises(ConfigError, match="unknown data set 'chexprt': did you mean 'chexpert'"):
        catalogue.card("chexprt")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("kermany", {"oficial": "yes"}, "kermany has no option 'oficial': did you mean 'official'"),
        ("busi", {"views": "all"}, "busi has no option 'views': it has none"),
        ("tfds:chexpert", {"views": "all"}, "has no option 'views': known: label, patient"),
        ("table", {}, "table needs the option 'labels': label columns"),
    ],
)
def test_options_that_a_reader_does_not_have(tmp_path, name, options, message):
    with pytest.raises(ConfigError, match=message):
        catalogue.read(name, tmp_path, **options)


@pytest.mark.parametrize("name", [name for name in catalogue.names() if name != "table"])
def test_a_folder_that_is_not_there_is_an_error(name, tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        catalogue.read(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", [name for name in catalogue.names() if name != "table"])
def test_an_empty_folder_is_an_error_that_names_it(name, tmp_path):
    (tmp_path / "leer").mkdir()
    with pytest.raises(DataError, match="leer"):
        catalogue.read(name, tmp_path / "leer")


def test_rows_know_their_lines_over_empty_lines_and_quoted_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"x\ny"\n\n2, z \n3\n')
    rows = sheets.read(path, ("a",))
    assert rows == [{"a": "1", "b": "x\ny"}, {"a": "2", "b": "z"}, {"a": "3", "b": ""}]
    assert [row.line for row in rows] == [2, 5, 6]
    assert rows[1].where == f"{path}, line 5"
    assert [row.line for row in sheets.read(path, (), ("first", "second"))] == [1, 2, 5, 6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2,3\n", "line 2: 3 cells for 2 columns"),
        (b"a,a\n1,2\n", "has 2 columns 'a'"),
        (b"a,b\n", "has a header and no rows"),
        (b"", "has no column 'a'"),
        (b"a\n\xff\xfe\n", "is not a CSV table in UTF-8"),
    ],
)
def test_damaged_tables_are_errors(content, message, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        sheets.read(tmp_path / "a.csv", ("a",))


@pytest.mark.parametrize(
    ("cell", "message"), [("nan", "no number"), ("1.5", "out of range"), ("-1", "out of range"), ("inf", "no number"), ("", "no number")]
)
def test_cells_that_are_no_whole_numbers(cell, message):
    with pytest.raises(DataError, match=f"here: .*{message}"):
        cells.whole_number(cell, range(5), "here")
    assert cells.whole_number("4.0", range(5), "here") == 4


@pytest.mark.parametrize("path", ["../a.png", "/etc/passwd", "a/../../b", "", "..\\a.png"])
def test_paths_stay_in_the_folder(path, tmp_path):
    with pytest.raises(DataError, match=r"here: path .* leaves the raw folder"):
        sheets.inside(tmp_path, path, "here")


def test_a_listing_without_a_single_file_is_an_error(tmp_path):
    items = [Item(f"{i}.png", "p", {}, tmp_path / f"{i}.png") for i in range(3)]
    with pytest.raises(DataError, match=r"that names 3 images and none is there, .*0\.png for one"):
        files.check(items, "that")
    touch(tmp_path, "2.png")
    files.check(items, "that")


def test_table_gives_numbers_words_splits_and_patients(raw):
    listing = catalogue.read("table", raw, labels="grade, side")
    assert listing.names == {"side": ["L", "R"]}
    assert listing.notes == ("1 cell counts as missing in column 'grade' (blank: 1)",)
    assert [item.id for item in listing.items] == [f"images/bild {i} ä.png" for i in range(6)]
    assert [item.patient for item in listing.items] == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert [item.split for item in listing.items] == ["train", "train", "train_val", "train_val", "val", "test"]
    assert [item.labels for item in listing.items] == [{"grade": g, "side": s} for g, s in zip([0, 1, 2, MISSING, 4, 0], [0, 1] * 3, strict=True)]
    assert all(item.image == raw / item.id and item.image.is_file() for item in listing.items)


def test_table_without_patients_and_splits(raw):
    listing = catalogue.read("table", raw, labels="grade", patient="", split="")
    assert [item.patient for item in listing.items] == [item.id for item in listing.items]
    assert {item.split for item in listing.items} == {None}
    assert listing.notes[0] == "no patients are given: every image counts as a patient of its own"


def test_table_elsewhere_with_other_columns(raw):
    (raw / "tables").mkdir()
    text = (raw / "labels.csv").read_text(encoding="utf-8-sig").replace("image,patient", "file,who", 1)
    (raw / "tables" / "meine.csv").write_text(text)
    assert catalogue.read("table", raw, labels="side", table="tables/meine.csv", image="file", patient="who").items[5].patient == "p2"


def test_table_takes_floats_nan_and_mixed_columns(raw):
    for line, cell in ((2, "1.0"), (3, "NaN"), (4, "3.0")):
        spoil(raw, line, "grade", cell)
    assert [item.labels["grade"] for item in catalogue.read("table", raw, labels="grade").items] == [1, MISSING, 3, MISSING, 4, 0]
    spoil(raw, 7, "grade", "unclear")
    listing = catalogue.read("table", raw, labels="grade")
    assert listing.names == {"grade": ["1", "3", "4", "unclear"]}
    assert [item.labels["grade"] for item in listing.items] == [0, MISSING, 1, MISSING, 2, 3]
    assert listing.notes == (
        "column 'grade' holds words and numbers, so that all of them count as words: '1', '3', '4', 'unclear' "
        "(--missing=WORD makes a word a missing value)",
        "2 cells count as missing in column 'grade' ('NaN': 1, blank: 1); --missing says which words do",
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
    with pytest.raises(DataError, match=r"names 6 images and none is there, .* holds 6 images under other names, images/neu bild 0 ä\.png for one"):
        catalogue.read("table", raw, labels="grade")
    with pytest.raises(DataError, match="nowhere does not exist"):
        catalogue.read("table", raw / "nowhere", labels="grade")


def test_folders_of_classes(tmp_path):
    touch(tmp_path, "gut/b.JPG", "gut/a.png", "gut/.hidden.png", "gut/notes.txt", "böse art/c 1.tiff", "böse art/d.dcm", ".git/x.png", "readme.txt")
    listing = catalogue.read("folders", tmp_path)
    assert listing.names == {"class": ["böse art", "gut"]}
    assert [(item.id, item.labels["class"], item.split, item.patient) for item in listing.items] == [
        ("böse art/c 1.tiff", 0, None, "böse art/c 1.tiff"), ("böse art/d.dcm", 0, None, "böse art/d.dcm"),
        ("gut/a.png", 1, None, "gut/a.png"), ("gut/b.JPG", 1, None, "gut/b.JPG"),
    ]  # fmt: skip
    assert listing.notes == (
        "no patients are given: every image counts as a patient of its own",
        "left out: files ending in .txt: 2 (gut/notes.txt); hidden or system files: 1 (gut/.hidden.png)",
    )


@pytest.mark.parametrize("pattern", [r"^(\d+)_", r"^(?P<patient>\d+)_(a|b)"])
def test_folders_of_splits_with_patients(tmp_path, pattern):
    touch(tmp_path, "train/x/1_a.png", "train/y/2_a.png", "train/y/2_b.png", "test/x/3_a.png", "test/y/4_a.png")
    listing = catalogue.read("folders", tmp_path, patient=pattern)
    assert [(item.id, item.patient, item.split) for item in listing.items] == [
        ("train/x/1_a.png", "1", "train"), ("train/y/2_a.png", "2", "train"), ("train/y/2_b.png", "2", "train"),
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
        (["train/a/1.png", "train/b/1.png", "val/a/1.png"], "", "val has the classes a, other folders have a, b"),
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


def test_the_level_that_holds_the_data_must_be_the_only_one(tmp_path):
    touch(tmp_path, "Set-1/train.csv", "Set-2/other.csv")
    assert files.root(tmp_path, "Set-*", "train.csv") == files.root(tmp_path / "Set-1", "Set-*", "train.csv") == tmp_path / "Set-1"
    touch(tmp_path, "Set-2/train.csv")
    with pytest.raises(DataError, match="has Set-1 and Set-2: give one of them"):
        files.root(tmp_path, "Set-*", "train.csv")
