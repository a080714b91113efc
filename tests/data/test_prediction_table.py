"""Tables of probabilities: written, read back, and what in them is an error."""

import csv

import numpy as np
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data import prediction_table

IDS = np.array(["i/1.png", "i/2.png", "7"])


def test_what_is_written_is_read_in_the_order_of_the_images(tmp_path):
    # Log-odds: of 1/4, of a prediction so sure that its probability is 1, of 0, and of 1/8.
    a, b = np.array([np.log(1 / 3), 40.0]), np.array([-np.inf, np.log(1 / 7)])
    prediction_table.write(tmp_path / "p.csv", ["7", "i/1.png"], {"a": a, "b": b})
    found = prediction_table.read(tmp_path / "p.csv", IDS, ("b", "a"))
    np.testing.assert_allclose(found["b"], [0.125, 0.5, 0], rtol=1e-8)
    np.testing.assert_allclose(found["a"], [1, 0.5, 0.25], rtol=1e-8)
    log_odds = prediction_table.LOG_ODDS.format("a")
    table = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    np.testing.assert_allclose([float(row[log_odds]) for row in table], a, rtol=1e-8)


@pytest.mark.parametrize(
    "text",
    [
        "id;a\ni/1.png;0,25\n7.0;1e-1\n7;0,1\n",
        "sep=;\nid;a\ni/1.png;0.25\n7;.1\n",
        "id\ta\ni/1.png\t+0.25\n7\t0,100\n",
    ],
)
def test_tables_that_a_spreadsheet_has_saved_again(tmp_path, text):
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "p.csv").write_bytes(text.encode(encoding))
        assert prediction_table.read(tmp_path / "p.csv", IDS, ("a",))["a"].tolist() == [
            0.25,
            0.5,
            0.1,
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,a\n7,0.5\n7,0.6\n",
            "line 3 and line 2: both are about image 7, with different probabilities",
        ),
        ("id,a\n7,1.5\n", "line 2, column 'a': 1.5 is no probability"),
        ("id,a\n7,-0.1\n", "line 2, column 'a': -0.1 is no probability"),
        ("id,a\n7,inf\n", "line 2, column 'a': inf is no probability"),
        ("id,a\n7,x\n", "line 2, column 'a': 'x' is no number"),
        ("id,a\n7,nan\n", "line 2: 'nan' in column 'a' stands for a missing value"),
        ("id,a\n7,\n", "line 2: empty cell in column 'a'"),
        ("id,a\n8,0.5\n", "has none of the images' names, such as 'i/1.png'"),
        ("id,b\n7,0.5\n", "has no column 'a'"),
    ],
)
def test_what_is_no_probability_is_an_error_with_its_line(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        prediction_table.read(tmp_path / "p.csv", IDS, ("a",))
