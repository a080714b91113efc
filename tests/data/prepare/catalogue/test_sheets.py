"""Tables in every form that spreadsheets and statistics programs write."""

import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare.catalogue import sheets

ROWS = [["image", "patient", "grade"], ["a b.png", "1", "1,5"], ["c.png", "2", ""]]


def text(separator, before="", line="\n", quote=False):
    return (
        before
        + line.join(
            separator.join(f'"{cell}"' if quote or separator in cell else cell for cell in row)
            for row in ROWS
        )
        + line
    )


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (text(",").encode(), 2),
        (text(";").encode(), 2),
        (text("\t").encode(), 2),
        (text("|").encode(), 2),
        (text(",", line="\r\n").encode(), 2),
        (text(";", quote=True).encode(), 2),
        (text(",").encode("utf-8-sig"), 2),
        (text("\t").encode("utf-16"), 2),
        (text("\t").encode("utf-16-le"), 2),
        (text("\t").encode("utf-16-be"), 2),
        (text(";", "sep=;\r\n", "\r\n").encode("utf-8-sig"), 3),
        (text(";", '"sep=;"\n').encode(), 3),
        (text("\t", "sep=\t\n").encode(), 3),
        (text("^", "SEP=^\n").encode(), 3),
        (text(",", "\n\n").encode(), 4),
        (text(";").replace("image", "image\u00a0").encode(), 2),
    ],
)
def test_separators_and_encodings(tmp_path, data, line):
    (tmp_path / "a.csv").write_bytes(data)
    rows = sheets.read(tmp_path / "a.csv", ("image", "grade"))
    assert [list(row.values()) for row in rows] == ROWS[1:]
    assert [row.line for row in rows] == [line, line + 1]


def test_a_table_without_header_takes_the_separator_that_gives_its_columns(tmp_path):
    (tmp_path / "a.csv").write_text("0001;1\n0002;0\n")
    assert sheets.read(tmp_path / "a.csv", (), ("case", "label")) == [
        {"case": "0001", "label": "1"},
        {"case": "0002", "label": "0"},
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"Image;grade\n1;2\n",
            "has no column 'image': did you mean 'Image'\\? Case and spaces count",
        ),
        (
            b"image grade\n1 2\n",
            (
                "has no column 'image': .*; columns are separated by commas, semicolons, tabs, and"
                " this line has none"
            ),
        ),
        (
            b"image;grade\na;b;c\n",
            "line 2: 3 cells for 2 columns: put cells that hold semicolons in quotes",
        ),
        (b'image,grade\n"a,1\nb,2\n', "is not a CSV table .*close its quotes"),
        (b'image,grade\n"a"x,1\n', "is not a CSV table"),
        (b"PK\x03\x04xl", "is an Excel workbook or a zip archive: save the table as CSV in UTF-8"),
        (b"\x1f\x8b\x08", "is compressed: unpack it"),
        (
            "image,grade\nä,1\n".encode("latin-1"),
            "is not a CSV table in UTF-8 .* in Excel that is 'CSV UTF-8'",
        ),
        ("image,grade\nä,1\n".encode("utf-16")[:-1], "is not a CSV table in UTF-8"),
    ],
)
def test_what_is_no_such_table_is_named(tmp_path, data, message):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(DataError, match=message):
        sheets.read(tmp_path / "a.csv", ("image", "grade"))


def test_a_missing_table_names_the_ones_that_are_there(tmp_path):
    (tmp_path / "Labels.csv").write_text("x")
    with pytest.raises(
        DataError, match=r"table .*labels\.csv is missing; the tables there are 'Labels\.csv'"
    ):
        sheets.read(tmp_path / "labels.csv", ())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "labels.csv").write_text("x")
    with pytest.raises(
        DataError, match=r"is missing, but .*mine/labels\.csv is there: give .*mine$"
    ):
        sheets.read(tmp_path / "labels.csv", ())
