"""Cells of tables: missing words, numbers, words, names, and what is told of them."""

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare.catalogue.cells import Cells


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " ",
        "\u00a0",
        "NA",
        "na",
        "N/A",
        "n/a",
        "#N/A",
        "<NA>",
        "nan",
        "NaN",
        "None",
        "NONE",
        "null",
        "NULL",
        "-",
        "–",
        "--",
    ],
)
def test_missing_by_default(cell):
    cells = Cells()
    assert cells.is_missing(cell)
    assert (
        cells.number("grade", cell, range(5), "here")
        == cells.word("grade", cell, ("a", "b"), "here")
        == MISSING
    )


@pytest.mark.parametrize(
    "cell", ["0", "no", "nano", "N", "none found", "-1", "unknown", "no finding"]
)
def test_not_missing_by_default(cell):
    assert not Cells().is_missing(cell)


def test_other_words_for_missing_replace_the_default_ones():
    cells = Cells("unknown, -9,n.d.")
    assert all(map(cells.is_missing, ("", "Unknown", "-9", "-9.0", "−9", "N.D.")))
    assert not any(map(cells.is_missing, ("None", "NA", "-", "9")))
    assert Cells("").is_missing(" ") and not Cells("").is_missing("None")


def test_the_notes_count_what_was_missing_and_by_which_words():
    cells = Cells()
    assert cells.notes() == []
    for column, cell in (("a", "NA"), ("a", "NA"), ("b", ""), ("a", "1")):
        cells.number(column, cell, range(5), "here")
    assert cells.notes() == [
        "3 cells count as missing in columns 'a', 'b' ('NA': 2, blank: 1); --missing says which"
        " words do"
    ]


def test_words_in_other_spellings_are_counted_and_unknown_ones_are_refused_or_missing():
    cells = Cells()
    assert [
        cells.word("sex", cell, ("Female", "Male"), "here")
        for cell in ("Male", "female", "MALE ", "male")
    ] == [1, 0, 1, 1]
    with pytest.raises(DataError, match="here, column 'sex': 'X' is none of Female, Male"):
        cells.word("sex", "X", ("Female", "Male"), "here")
    assert cells.word("sex", "X", ("Female", "Male"), "here", strict=False) == MISSING
    assert cells.notes() == [
        "'female' (1) counts as 'Female' of column 'sex'",
        "'MALE ' (1), 'male' (1) count as 'Male' of column 'sex'",
        "column 'sex': 'X' (1) is none of Female, Male and counts as missing",
    ]


def test_numbers_in_any_spelling():
    cells = Cells()
    assert [
        cells.number("n", cell, (0, 1), "here") for cell in ("1", "1.0", "1,0", "+1", "1e0", "0.0")
    ] == [1, 1, 1, 1, 1, 0]
    for cell, message in (
        ("1,000", "'1,000' may be 1 or 1000"),
        ("2", "2 is out of range"),
        ("0.5", "out of range"),
        ("x", "'x' is no number"),
    ):
        with pytest.raises(DataError, match=f"here, column 'n': .*{message}"):
            cells.number("n", cell, (0, 1), "here")


def test_patients_are_one_however_their_number_is_written():
    cells = Cells()
    assert [
        cells.name("patient", cell, "here") for cell in ("7", "7.0", "+7", "12", "p 1", "p\u00a01")
    ] == ["7", "7", "7", "12", "p 1", "p 1"]
    assert cells.notes() == [
        "column 'patient': 2 names are spelled in several ways, such as '+7' and '7' and '7.0':"
        " each is one"
    ]


def test_patients_that_differ_in_leading_zeros_or_case_are_two_and_that_is_told():
    cells = Cells()
    assert [
        cells.name("patient", cell, "here") for cell in ("007", "7", "P1", "p1", "100", "10")
    ] == ["007", "7", "P1", "p1", "100", "10"]
    assert cells.notes() == [
        "column 'patient': '007' and '7' differ in case or leading zeros and count as different"
        " names (2 such groups)"
    ]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "here: empty cell in column 'patient'"),
        (
            "NA",
            (
                "here: 'NA' in column 'patient' stands for a missing value, and the column must be"
                " filled"
            ),
        ),
        ("1.23457E+15", "here, column 'patient': '1.23457E\\+15' was rounded by a spreadsheet"),
        ("1,23E+12", "was rounded by a spreadsheet"),
    ],
)
def test_patients_that_cannot_be_told(cell, message):
    with pytest.raises(DataError, match=message):
        Cells().name("patient", cell, "here")
