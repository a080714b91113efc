"""Tables, arrays and records of the run folder: written, read back exactly, damaged."""

import math

import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import named
from transfer_jax.runs import arrays, first_layer, record, results, tables
from transfer_jax.runs.first_layer import Filters
from transfer_jax.runs.record import DataFacts, Inspection, Record


def test_a_history_is_read_back_bit_for_bit(tmp_path):
    entries = [
        {"member": "a-0", "step": 0, "auc": 1 / 3, "loss": 0.1 + 0.2, "diverged": False},
        {"member": "a-0", "step": 2, "auc": math.nan, "loss": math.inf, "diverged": True},
        {"member": "b,c-1", "step": 2, "auc": 5e-324, "loss": 1e308, "diverged": False}
        | {"auc_labels": 2, "auc/a, b": 0.25, "train_loss": -0.0},
    ]
    results.write_history(tmp_path, entries)
    again = results.read_history(tmp_path)
    assert [list(entry) for entry in again] == [list(entry) for entry in entries]
    assert repr(again) == repr(entries)


def test_no_history_yet(tmp_path):
    assert results.read_history(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "member,step,auc,loss,diverged\na-0,x,0.5,0.1,False\n",
        "member,step,auc,loss,diverged\na-0,1,0.5,0.1,maybe\n",
        "member,step,auc,loss\na-0,1,0.5,0.1\n",
        "member,step,auc,loss,diverged\na-0,1,,0.1,False\n",
        "member,step,auc,loss,diverged\na-0,1,0.5,0.1,False,7\n",
        "member,step,auc,loss,diverged\na-0,1\n",
    ],
)
def test_a_history_that_is_none_is_told(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"history\.csv"):
        results.read_history(tmp_path)


def test_floats_survive_csv(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**64, 2000, dtype=np.uint64, endpoint=False)
    values = bits.view(np.float64)  # subnormal, huge, infinite and NaN ones among them
    path = tmp_path / "t.csv"
    path.write_text(tables.to_csv([{"x": value} for value in values.tolist()]))
    np.testing.assert_array_equal([row["x"] for row in tables.from_csv(path, {})], values)


def test_csv_has_every_key_once_and_empty_cells_are_left_out(tmp_path):
    text = tables.to_csv([{"a": 1}, {"a": 2, "b": "x,y"}, {"a": 3, "b": None}])
    assert text == 'a,b\n1,\n2,"x,y"\n3,\n'
    (tmp_path / "t.csv").write_text(text)
    rows = tables.from_csv(tmp_path / "t.csv", {"a": int, "b": str})
    assert rows == [{"a": 1}, {"a": 2, "b": "x,y"}, {"a": 3}]
    (tmp_path / "none.csv").write_text(tables.to_csv([]))
    assert tables.from_csv(tmp_path / "none.csv", {}, ["a"]) == []


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    named_arrays = {"a": np.arange(6.0).reshape(2, 3), "names": np.array(["x", "yy"])}
    arrays.write(tmp_path / "one.npz", named_arrays)
    arrays.write(tmp_path / "two.npz", named_arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    again = arrays.read(tmp_path / "one.npz", ["a", "names"])
    for name, array in named_arrays.items():
        np.testing.assert_array_equal(again[name], array)
    with pytest.raises(ConfigError, match="it holds no 'b'"):
        arrays.read(tmp_path / "one.npz", ["b"])


def test_arrays_execute_nothing(tmp_path):
    np.savez(tmp_path / "evil.npz", a=np.array([print], dtype=object))
    with pytest.raises(ConfigError, match=r"evil\.npz cannot be read"):
        arrays.read(tmp_path / "evil.npz")
    (tmp_path / "short.npz").write_bytes((tmp_path / "evil.npz").read_bytes()[:40])
    with pytest.raises(ConfigError, match=r"short\.npz cannot be read"):
        arrays.read(tmp_path / "short.npz")


def test_filters_before_and_after(tmp_path):
    kernels = {"a-0": np.ones((3, 3, 1, 2), np.float32), "b/-1": np.zeros((3, 3, 1, 2))}
    first_layer.write(tmp_path, Filters(kernels, {"a-0": kernels["a-0"] * 2}))
    before, after = first_layer.read(tmp_path)
    assert list(before) == ["a-0", "b/-1"] and list(after) == ["a-0"]
    np.testing.assert_array_equal(after["a-0"], 2)
    assert first_layer.read(tmp_path / "none") == Filters({}, {})
    arrays.write(tmp_path / "filters.npz", {"before/a": np.ones(3)})
    with pytest.raises(ConfigError, match="which is no kernel"):
        first_layer.read(tmp_path)


FACTS = DataFacts(
    name="set", images="3 images", validation=3, test=2, optimistic=False, folds=1,
    height=32, width=30, channels=1,
    task="binary", labels=("finding",), threshold=1, normalisation=named("imagenet"), unmeasured="",
)  # fmt: skip


@pytest.mark.parametrize("inspection", [None, Inspection(images=3, left_out={"conv4": "few"})])
def test_a_record_is_read_back(tmp_path, inspection):
    made = Record(
        data=FACTS,
        images_per_epoch=3,
        source="a file",
        machine={"hardware": "cpu"},
        date="2026-01-02",
        seconds=1.5,
        inspection=inspection,
    )
    record.write(tmp_path, made)
    assert record.read(tmp_path) == made


def test_a_record_that_is_missing_or_of_another_kind_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"has no run\.json: the study has not begun"):
        record.read(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"run\.json cannot be used"):
        record.read(tmp_path)
