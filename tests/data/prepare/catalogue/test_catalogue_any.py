"""The registry and the cards of all data sets, and what their readers share: rows, cells, paths."""

import dataclasses
import importlib
import inspect

import pytest
from raw_trees import touch

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data.items import Item
from transfer_jax.data.prepare import catalogue
from transfer_jax.data.prepare.catalogue import cells, raw_folders, sheets


@pytest.mark.parametrize("name", [*catalogue.DATA_SETS, "tfds:chexpert"])
def test_every_card_is_complete_and_names_the_readers_options(name):
    card = catalogue.card(name)
    for field in dataclasses.fields(card):
        value = getattr(card, field.name)
        if field.name not in ("channels", "options", "required"):
            assert isinstance(value, str) and len(value) > 2, field.name
    assert card.channels in (1, 3)
    module = importlib.import_module(
        f"transfer_jax.data.prepare.catalogue.{'tfds' if ':' in name else name}"
    )
    assert ":" in name or catalogue.DATA_SETS[name] == module.__name__
    folder, *options = inspect.signature(module.read).parameters.values()
    assert folder.name == "folder"
    assert all(
        option.kind is inspect.Parameter.KEYWORD_ONLY and option.annotation is str
        for option in options
    )
    assert {option.name for option in options} - {"name"} == set(card.options)
    assert {option.name for option in options if option.default is inspect.Parameter.empty} - {
        "name"
    } == set(card.required)
    assert all(len(text) > 5 for text in card.options.values())


def test_names_and_an_unknown_name():
    assert tuple(catalogue.DATA_SETS) == (
        "table", "folders", "chexpert", "chestxray14", "kermany", "eyepacs", "busi", "ddti",
        "cbis_ddsm", "mrnet",
        "patchcamelyon", "pcam_small", "isic2018", "medmnist",
    )  # fmt: skip
    with pytest.raises(ConfigError, match="unknown data set 'chexprt': did you mean 'chexpert'"):
        catalogue.card("chexprt")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "kermany",
            {"oficial": "yes"},
            "kermany has no option 'oficial': did you mean 'official'",
        ),
        ("busi", {"views": "all"}, "busi has no option 'views': it has none"),
        ("tfds:chexpert", {"views": "all"}, "has no option 'views': known: label, patient"),
        ("table", {}, "table needs the option 'labels': label columns"),
    ],
)
def test_options_that_a_reader_does_not_have(tmp_path, name, options, message):
    with pytest.raises(ConfigError, match=message):
        catalogue.read(name, tmp_path, **options)


@pytest.mark.parametrize("name", [name for name in catalogue.DATA_SETS if name != "table"])
def test_a_folder_that_is_not_there_is_an_error(name, tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        catalogue.read(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", [name for name in catalogue.DATA_SETS if name != "table"])
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
    ("cell", "message"),
    [
        ("nan", "no number"),
        ("1.5", "out of range"),
        ("-1", "out of range"),
        ("inf", "no number"),
        ("", "no number"),
    ],
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
        raw_folders.check(items, "that")
    touch(tmp_path, "2.png")
    raw_folders.check(items, "that")


def test_the_level_that_holds_the_data_must_be_the_only_one(tmp_path):
    touch(tmp_path, "Set-1/train.csv", "Set-2/other.csv")
    assert (
        raw_folders.root(tmp_path, "Set-*", "train.csv")
        == raw_folders.root(tmp_path / "Set-1", "Set-*", "train.csv")
        == tmp_path / "Set-1"
    )
    touch(tmp_path, "Set-2/train.csv")
    with pytest.raises(DataError, match="has Set-1 and Set-2: give one of them"):
        raw_folders.root(tmp_path, "Set-*", "train.csv")
