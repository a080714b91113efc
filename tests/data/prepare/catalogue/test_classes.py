"""Labels of a user's own table: which cells are one class, in which order, and what is no class."""

from pathlib import Path

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare.catalogue import classes
from transfer_jax.data.prepare.catalogue.cells import Cells
from transfer_jax.data.prepare.catalogue.sheets import Row


def read(*texts, missing=None):
    cells = Cells() if missing is None else Cells(missing)
    return classes.column(
        [Row({"label": text}, Path("t.csv"), i, cells) for i, text in enumerate(texts, start=2)],
        "label",
    )


@pytest.mark.parametrize("no", ["NA", "N/A", "nan", "None", "null", "-", "", "NaN", "#N/A"])
@pytest.mark.parametrize(
    "two",
    [("FALSE", "TRUE"), ("0", "1"), ("0.0", "1.0"), ("no", "yes"), ("No", "yes"), ("no", "Yes")],
)
def test_a_missing_label_is_never_a_class(no, two):
    values, names, _ = read(two[0], no, two[1], no)
    assert values == [0, MISSING, 1, MISSING]
    assert names in ([], list(two))


def test_none_can_be_a_class():
    assert read("none", "mild", "NA", "severe", missing="")[:2] == (
        [2, 0, 1, 3],
        ["mild", "NA", "none", "severe"],
    )
    assert read("none", "mild", "NA", "severe", missing="NA")[:2] == (
        [1, 0, MISSING, 2],
        ["mild", "none", "severe"],
    )


def test_numbers_are_one_value_however_they_are_written():
    assert read("1", "1.0", "+1", "1e0", "01", "1,0", "3", "0") == (
        [1, 1, 1, 1, 1, 1, 3, 0],
        [],
        [],
    )
    values, names, notes = read("10", "2.0", "2", "unclear")
    assert (values, names) == ([1, 0, 0, 2], ["2", "10", "unclear"])
    assert notes[0] == "column 'label': '2.0' (1) and '2' (1) are one class"
    assert (
        "holds words and numbers, so that all of them count as words: '2', '10', 'unclear'"
        in notes[1]
    )


def test_words_that_differ_in_case_or_spaces_are_one_class_with_a_note():
    values, names, notes = read(
        "No", "NO ", "no", "No", "Yes", "yes\u00a0", "grade 10", "grade 2", "Grade  2"
    )
    assert names == ["grade 2", "grade 10", "No", "Yes"]
    assert values == [2, 2, 2, 2, 3, 3, 1, 0, 0]
    assert notes == [
        "column 'label': 'Grade  2' (1) and 'grade 2' (1) are one class",
        "column 'label': 'NO ' (1), 'no' (1) and 'No' (2) are one class",
        "column 'label': 'yes\\xa0' (1) and 'Yes' (1) are one class",
    ]


def test_truth_in_words_and_in_numbers_is_the_same():
    values, names, notes = read("TRUE", "1", "False", "0", "true", "NA")
    assert (values, names) == ([1, 1, 0, 0, 1, MISSING], [])
    assert notes == [
        "column 'label' holds 'TRUE', 'False', 'true' beside 0 and 1: true counts as 1, false as 0"
    ]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["NA", "", "-"], "is empty in every row, or holds nothing but words for missing values"),
        (
            ["A|B", "A", "C"],
            r"holds lists such as 'A\|B', .* make a column of 0 and 1 for each of 'A', 'B', 'C'",
        ),
        (["A;B", "A", "B"], "holds lists such as 'A;B'"),
        (["edema, effusion", "edema", "effusion"], "holds lists such as 'edema, effusion'"),
        (
            [f"P{i:03}" for i in range(30)],
            "holds 30 different words in 30 cells .* names or free text",
        ),
        ([f"name {i % 1001}" for i in range(6000)], "holds 1001 different words"),
        (["1.5", "2"], "line 2, column 'label': 1.5 is out of range"),
        (["1", "-1"], "line 3, column 'label': -1 is out of range"),
        (["1,000", "2"], "line 2, column 'label': '1,000' may be 1 or 1000"),
    ],
)
def test_what_is_no_class_is_refused(texts, message):
    with pytest.raises(DataError, match=message):
        read(*texts)


def test_many_classes_with_many_images_each_are_classes():
    assert len(read(*(f"kind {i % 100}" for i in range(1000)))[1]) == 100
    assert len(read("melanoma, in situ", "melanoma", "naevus")[1]) == 3
    assert len(read(*(str(i) for i in range(200)))[0]) == 200  # numbers, such as ages, may be many
