"""A label's values are matched by name with those of another set, whatever their numbers there."""

import csv
import re

import cv2
import numpy as np
import pandas
import pytest
from small_studies import tiny

from transfer_jax.studies import runner
from transfer_jax.tools import evaluate
from transfer_jax.tools import prepare as tool

SIDE = 32


@pytest.fixture
def prepared(command, tmp_path):
    """Prepares a set of images whose label `knee` has the given words, the same ones each time."""

    def make(name, words, split):
        raw = tmp_path / f"raw_{name}"
        raw.mkdir()
        rng = np.random.default_rng(0)
        with open(raw / "labels.csv", "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["image", "patient", "split", "knee"])
            for i, word in enumerate(words):
                cv2.imwrite(str(raw / f"{i}.png"), rng.integers(0, 256, (SIDE, SIDE), np.uint8))
                out.writerow([f"{i}.png", f"p{i}", split or ("train", "val")[i % 2], word])
        folder = tmp_path / name
        command(tool.main)(str(raw), f"--out={folder}", f"--size={SIDE}", "--grey", "--labels=knee")
        return folder

    return make


@pytest.fixture
def knees(prepared, tmp_path):
    """A study of three kinds of knees, numbered in the order of the alphabet."""
    folder = prepared("knees", ["acl", "acl", "meniscus", "meniscus", "normal", "normal"] * 4, "")
    data = {"kind": "records", "path": str(folder), "task": "multiclass", "labels": ("knee",)}
    data |= dict.fromkeys(("phantom", "size", "train", "val", "threshold"))
    study = tiny(
        **{f"data__{option}": value for option, value in data.items()},
        source__kind="none",
        source__data=None,
        source__recipe=None,
        repeats=1,
        threshold_auc=None,
        arms=("random",),
        recipe__steps=1,
        recipe__eval_every=1,
    )
    runner.run_study(study, tmp_path / "run")
    return tmp_path / "run" / "weights" / "random-0"


def test_values_keep_their_names_where_another_set_numbers_them_otherwise(
    knees, prepared, command, tmp_path
):
    words = ["Normal", "meniscus", "Normal", "meniscus", ""]
    other = prepared("other", words, "test")  # 0 and 1 are the network's 2 and 1
    table = tmp_path / "predictions.csv.gz"
    command(evaluate.main)(str(knees), f"--data={other}", f"--predictions={table}")
    read = pandas.read_csv(table).sort_values("id")
    targets = read["target:knee"].to_numpy()
    np.testing.assert_array_equal(targets[:4], [2, 1, 2, 1])
    assert np.isnan(targets[4])


def test_a_value_that_the_network_does_not_know_is_told(knees, prepared, command):
    other = prepared("other", ["normal", "fracture"] * 2, "test")
    error = command(evaluate.main)(str(knees), f"--data={other}", check=2)
    message = "knee is 'fracture' .* the network knows 'acl', 'meniscus', 'normal'"
    assert re.search(message, error) and error.count("\n") == 1, error


def test_values_without_names_are_matched_by_number(knees, prepared, command, tmp_path):
    other = prepared("other", [0, 1, 2, 1], "test")
    table = tmp_path / "predictions.csv.gz"
    command(evaluate.main)(str(knees), f"--data={other}", f"--predictions={table}")
    np.testing.assert_array_equal(pandas.read_csv(table)["target:knee"], [0, 1, 2, 1])
