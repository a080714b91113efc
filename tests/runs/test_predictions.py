"""Tables of predictions: written, read back exactly and by pandas, damaged."""

import dataclasses
import gzip

import numpy as np
import pandas
import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.runs import predictions
from transfer_jax.runs.predictions import Images, Predictions


def table(count=7, labels=("Edema", "no finding, at all"), classes=2):
    rng = np.random.default_rng(0)
    images = Images(
        ids=np.array([f"00{i}" for i in range(count)]),
        patients=np.array(["NA", "1", 'a "b"', "c,d", "é", "05", "5"][:count]),
        studies=np.array(["s"] * count),
        columns={"sex": np.array(["F", "", "M", "F", "M", "F", "nan"][:count])},
        labels=labels,
        targets=rng.integers(0, classes, (count, len(labels))).astype(float),
        mask=np.ones((count, len(labels)), bool),
    )
    log_odds = rng.standard_normal((count, len(labels))).astype(np.float32)
    return Predictions(images=images, outputs=labels, log_odds=log_odds)


def test_a_table_is_read_back_bit_for_bit(tmp_path):
    written = table()
    written.log_odds[0] = np.float32(1e-42), np.float32(-3.4e38)
    written.images.mask[1, 0] = False
    written.images.targets[1, 0] = 0
    predictions.write(tmp_path / "p.csv.gz", written)
    read = predictions.read(tmp_path / "p.csv.gz")
    np.testing.assert_array_equal(read.log_odds, written.log_odds)
    assert read.outputs == written.outputs
    for field in dataclasses.fields(Images):
        one, two = getattr(read.images, field.name), getattr(written.images, field.name)
        if isinstance(two, dict):
            assert one.keys() == two.keys()
            np.testing.assert_array_equal(one["sex"], two["sex"])
        else:
            np.testing.assert_array_equal(one, two)


def test_pandas_reads_it_in_a_line(tmp_path):
    written = table()
    predictions.write(tmp_path / "p.csv.gz", written)
    frame = pandas.read_csv(tmp_path / "p.csv.gz")
    assert list(frame) == [
        "id", "patient", "study", "sex", "target:Edema", "target:no finding, at all",
        "log_odds:Edema", "log_odds:no finding, at all",
    ]  # fmt: skip
    np.testing.assert_allclose(frame["log_odds:Edema"], written.log_odds[:, 0], rtol=1e-6)


def test_the_same_predictions_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        predictions.write(tmp_path / f"{name}.csv.gz", table())
    predictions.copy(tmp_path / "one.csv.gz", tmp_path / "three.csv.gz")
    content = {(tmp_path / f"{name}.csv.gz").read_bytes() for name in ("one", "two", "three")}
    assert len(content) == 1


@pytest.mark.parametrize(
    "text",
    [
        "id,patient,study,target:a\nx,y,z,1\n",
        "id,patient,study,target:a,log_odds:a\nx,y,z,1,much\n",
        "patient,study,target:a,log_odds:a\ny,z,1,0.5\n",
        "",
    ],
)
def test_a_table_that_is_none_is_told(tmp_path, text):
    path = tmp_path / "p.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(ConfigError, match=r"p\.csv\.gz cannot be read"):
        predictions.read(path)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"PK" + data[2:]])
def test_a_damaged_table_is_told(tmp_path, damage):
    path = tmp_path / "p.csv.gz"
    predictions.write(path, table())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ConfigError, match=r"p\.csv\.gz cannot be read"):
        predictions.read(path)


def test_a_missing_table_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"p\.csv\.gz cannot be read"):
        predictions.read(tmp_path / "p.csv.gz")


def test_columns_named_as_a_key_and_returns_in_texts_are_read_back(tmp_path):
    written = table()
    columns = {"study": np.array(["first\rsecond"] * 7), "patient": np.array(["x"] * 7)}
    images = dataclasses.replace(written.images, columns=columns)
    predictions.write(tmp_path / "p.csv.gz", dataclasses.replace(written, images=images))
    read = predictions.read(tmp_path / "p.csv.gz").images
    np.testing.assert_array_equal(read.studies, images.studies)
    np.testing.assert_array_equal(read.patients, images.patients)
    assert read.columns.keys() == columns.keys()
    for name, texts in columns.items():
        np.testing.assert_array_equal(read.columns[name], texts)
