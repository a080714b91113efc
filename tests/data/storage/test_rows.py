"""The tables of splits: what is written comes out again, and older tables are read."""

import hashlib

import numpy as np
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.storage import rows

IDS, PATIENTS = ["a", "b, c"], ["p", "q"]
LABELS = {"sex": [0, -1], "grade": [3, 4]}


def content(folder, text, name="train.csv", **entry):
    (folder / name).write_bytes(text.encode())
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return {"records": 2, "rows": {"file": name, "sha256": sha256, **entry}}


def test_a_table_without_studies_and_columns_is_that_of_older_folders(tmp_path):
    text = rows.text(IDS, PATIENTS, LABELS)
    assert text == 'id,patient,sex,grade\na,p,0,3\n"b, c",q,-1,4\n'
    table = rows.read(tmp_path, content(tmp_path, text))
    assert (table.ids.tolist(), table.patients.tolist()) == (IDS, PATIENTS)
    assert table.studies.tolist() == IDS
    assert {name: values.tolist() for name, values in table.labels.items()} == LABELS
    assert table.columns == {}


@pytest.mark.parametrize(
    "texts",
    [
        ["M", ""],
        ["058Y", "NaN"],
        [' "quoted", 1;2', "two\nlines"],
        ["a\rb", "c\r\nd"],
        ["Ünïcode 東", "0"],
        ["", ""],
    ],
)
def test_texts_come_out_as_they_were(tmp_path, texts):
    columns = {"sex": texts, "id": texts[::-1], "site": ["x", "y"]}
    text = rows.text(IDS, PATIENTS, LABELS, ["p/1", "q/2"], columns)
    header = text.splitlines()[0].replace('"', "")
    assert header == "id,patient,study,sex,grade,sex (text),id (text),site"
    table = rows.read(tmp_path, content(tmp_path, text, studies=True, columns=list(columns)))
    assert {name: values.tolist() for name, values in table.columns.items()} == columns
    assert table.studies.tolist() == ["p/1", "q/2"]
    assert {name: values.tolist() for name, values in table.labels.items()} == LABELS
    assert all(values.dtype.kind == "U" for values in table.columns.values())


def test_tables_with_different_columns_are_joined(tmp_path):
    first = content(
        tmp_path, rows.text(IDS, PATIENTS, LABELS, columns={"age": ["70", "8"]}), columns=["age"]
    )
    second = content(
        tmp_path,
        rows.text(["d", "e"], ["r", "r"], LABELS, ["r/1", "r/1"], {"view": ["frontal", ""]}),
        "test.csv",
        studies=True,
        columns=["view"],
    )
    joined = rows.Rows.joined([rows.read(tmp_path, first), rows.read(tmp_path, second)])
    assert joined.columns["age"].tolist() == ["70", "8", "", ""]
    assert joined.columns["view"].tolist() == ["", "", "frontal", ""]
    assert joined.studies.tolist() == [*IDS, "r/1", "r/1"]
    np.testing.assert_array_equal(joined.labels["grade"], [3, 4, 3, 4])


@pytest.mark.parametrize(
    "entry", [{"studies": True}, {"columns": ["a", "b", "c"]}, {"studies": True, "columns": ["a"]}]
)
def test_a_table_without_the_columns_that_the_manifest_lists_is_refused(tmp_path, entry):
    told = content(tmp_path, "id,patient,a,b\n1,2,3,4\n5,6,7,8\n", **entry)
    if not entry.get("studies"):
        told = content(tmp_path, "id,patient\n1,2\n5,6\n", **entry)
    with pytest.raises(DataError, match=r"train\.csv has the columns .* the manifest says"):
        rows.read(tmp_path, told)
