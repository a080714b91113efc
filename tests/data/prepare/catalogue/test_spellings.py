"""What is the same word, number or name, and the order of classes."""

import math
import unicodedata

import pytest

from transfer_jax.data.prepare.catalogue import spellings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("1.0", 1), ("1.00", 1), ("+1", 1), ("1e0", 1), ("1E0", 1), ("01", 1),
        ("1,0", 1), (" 1 ", 1), ("1\u00a0", 1), ("1.", 1),
        ("-1", -1), ("−1.0", -1), ("–1", -1), ("-1,0", -1), ("0,5", 0.5), (",5", 0.5),
        (".5", 0.5), ("0,500", 0.5), ("1.000", 1),
        ("1,000,000", 1e6), ("1.000.000", 1e6), ("1,234.5", 1234.5), ("1.234,5", 1234.5),
        ("1'234", 1234), ("1\u202f234", 1234),
        ("inf", math.inf), ("", None), ("one", None), ("1a", None), ("1 2", None),
        ("1,2,3", None), ("0x1", None), ("1_0", None),
        ("nan", None), ("1,234,5", None), ("--1", None),
    ],
)  # fmt: skip
def test_numbers(text, value):
    assert spellings.number(text) == value


@pytest.mark.parametrize("text", ["1,000", "12,345", "-1,000"])
def test_a_number_that_may_be_either_of_two_is_refused(text):
    with pytest.raises(ValueError, match="write it without a separator"):
        spellings.number(text)
    assert spellings.is_number(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("No", "NO "), ("no finding", "No\u00a0 Finding"),
        ("grün", unicodedata.normalize("NFD", "GRÜN")), ("stage–2", "Stage-2"),
        ("1", "1.0"), ("01", "+1e0"), ("a\u200bb", "ab"), ("−1", "-1.0"),
    ],
)  # fmt: skip
def test_labels_that_mean_the_same(first, second):
    assert spellings.key(first) == spellings.key(second)


@pytest.mark.parametrize(
    ("first", "second"), [("no", "know"), ("1", "10"), ("a b", "ab"), ("1", "one"), ("4a", "4b")]
)
def test_labels_that_differ(first, second):
    assert spellings.key(first) != spellings.key(second)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("7", "7"), ("7.0", "7"), ("7.00", "7"), ("7,0", "7"), ("+7", "7"), ("0", "0"),
        (" 7 ", "7"), ("007", "007"), ("007.0", "007.0"),
        ("-7", "-7"), ("7.5", "7.5"), ("1.000", "1.000"), ("1,000", "1,000"), ("12E3", "12E3"),
        ("P1", "P1"), ("p  1", "p 1"),
        (unicodedata.normalize("NFD", "Jörg"), "Jörg"),
    ],
)  # fmt: skip
def test_names_keep_case_and_leading_zeros(text, name):
    assert spellings.name(text) == name


def test_the_order_of_classes_is_natural():
    texts = ["grade 10", "Grade 2", "b", "A", "10", "9.5", "-1", "2", "grade 2b"]
    assert sorted(texts, key=spellings.order) == [
        "-1",
        "2",
        "9.5",
        "10",
        "A",
        "b",
        "Grade 2",
        "grade 2b",
        "grade 10",
    ]
    assert sorted(["Yes", "no"], key=spellings.order) == ["no", "Yes"]


def test_a_hint_sees_through_case_and_spaces():
    assert (
        spellings.hint("image", ["Patient", "IMAGE"])
        == "did you mean 'IMAGE'? Case and spaces count"
    )
    assert (
        spellings.hint("Patient ID", ["patient_id"])
        == "did you mean 'patient_id'? Case and spaces count"
    )
    assert spellings.hint("grad", ["grade"]) == "did you mean 'grade'?"


@pytest.mark.parametrize(
    ("text", "name"),
    [("1.000", "1.000"), ("7.", "7"), ("-1.0", "-1"), ("-0.0", "0"), ("+12.0000", "12"),
     ("1,000", "1,000"),
     ("1,0000", "1"), ("007", "007"), ("007.0", "007.0"), ("1E5", "1E5"), ("1.50", "1.50"),
     ("12,", "12")],
)  # fmt: skip
def test_names_written_as_whole_numbers_are_one(text, name):
    assert spellings.name(text) == name
