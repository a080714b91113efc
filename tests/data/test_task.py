import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import prediction_table, task
from transfer_jax.data.items import MISSING, UNCERTAIN

KNOWN = {
    "grade": set(range(5)),
    "dots": set(range(15)),
    "edema": {0, 1},
    "mass": {0, 1},
    "blank": set(),
}
LABELS = {"edema": np.array([0, 1, UNCERTAIN, MISSING]), "mass": np.array([1, UNCERTAIN, 0, 1])}


def targets(training=True, predicted=None, uncertain=("ignore",)):
    made = task.make("set", KNOWN, "multilabel", ("edema", "mass"), None, uncertain)
    return made, made.targets(LABELS, training=training, predicted=predicted)


@pytest.mark.parametrize(
    ("policy", "value", "weight"),
    [
        ("ignore", 0, 0),
        ("zeros", 0, 1),
        ("ones", 1, 1),
        ("multiclass", 2, 1),
        ("self_trained", 0.3, 1),
    ],
)
def test_policies_decide_what_uncertain_labels_teach(policy, value, weight):
    predicted = {"edema": np.full(4, 0.3), "mass": np.full(4, 0.3)}
    made, found = targets(uncertain=(policy,), predicted=predicted)
    np.testing.assert_allclose(found.values[:, 0], [0, 1, value, 0], rtol=1e-6)
    np.testing.assert_array_equal(
        found.weights[:, 0], [1, 1, weight, 0]
    )  # a missing label never counts
    np.testing.assert_allclose(found.values[:, 1], [1, value, 0, 1], rtol=1e-6)
    assert made.num_outputs == (6 if policy == "multiclass" else 2)


@pytest.mark.parametrize("policy", list(task.POLICIES))
def test_no_policy_changes_what_networks_are_judged_by(policy):
    _, judged = targets(training=False, uncertain=(policy,))
    np.testing.assert_array_equal(judged.weights, [[1, 1], [1, 0], [0, 1], [0, 1]])
    np.testing.assert_array_equal(judged.values, [[0, 1], [1, 0], [0, 0], [0, 1]])


def test_labels_can_have_policies_of_their_own():
    made, found = targets(uncertain=("ones", "mass:multiclass"))
    assert made.policies == ("ones", "multiclass")
    assert made.widths == (1, 3)
    np.testing.assert_array_equal(found.values, [[0, 1], [1, 2], [1, 0], [0, 1]])


def test_binary_tasks_have_a_threshold_and_policies_too():
    made = task.make("set", KNOWN, "binary", ("grade",), 2, ("ones",))
    found = made.targets({"grade": np.array([0, 1, 2, 4, MISSING, UNCERTAIN])}, training=True)
    np.testing.assert_array_equal(found.values[:, 0], [0, 0, 1, 1, 0, 1])
    np.testing.assert_array_equal(found.weights[:, 0], [1, 1, 1, 1, 0, 1])


def test_multiclass_tasks_keep_the_value():
    made = task.make("set", KNOWN, "multiclass", ("grade",), None)
    assert made.num_outputs == 5
    found = made.targets({"grade": np.array([3, MISSING, UNCERTAIN])}, training=True)
    np.testing.assert_array_equal(found.values[:, 0], [3, 0, 0])
    np.testing.assert_array_equal(found.weights[:, 0], [1, 0, 0])


@pytest.mark.parametrize(
    ("kind", "labels", "threshold", "uncertain", "message"),
    [
        ("binary", ("grad",), 2, ("ignore",), "did you mean 'grade'"),
        ("binary", ("grade", "dots"), 2, ("ignore",), "takes one label, not 2"),
        ("binary", ("grade",), 9, ("ignore",), "threshold=9 leaves one class empty"),
        ("multilabel", ("grade",), None, ("ignore",), "takes labels of 0 and 1"),
        ("multilabel", (), None, ("ignore",), "at least one label"),
        ("ranking", ("grade",), None, ("ignore",), "unknown task kind"),
        ("multilabel", ("edema",), None, ("one",), "did you mean 'ones'"),
        ("multilabel", ("edema",), None, ("Edema:ones",), "did you mean 'edema'"),
        ("multilabel", ("edema",), None, ("ones", "zeros"), "two policies for all labels"),
        (
            "multilabel",
            ("edema",),
            None,
            ("edema:ones", "edema:zeros"),
            "two policies for label 'edema'",
        ),
        ("multiclass", ("grade",), None, ("ones",), "can only be left out"),
        (
            "multiclass",
            ("blank",),
            None,
            ("ignore",),
            "label .blank. of data set set has no value in any image",
        ),
    ],
)
def test_a_task_that_does_not_fit_the_data_is_an_error(kind, labels, threshold, uncertain, message):
    with pytest.raises(ConfigError, match=message):
        task.make("set", KNOWN, kind, labels, threshold, uncertain)


def test_predictions_are_read_by_name(tmp_path):
    path = tmp_path / "p.csv"
    prediction_table.write(path, ["a", "b"], {"edema": np.log([1 / 3, np.e]), "mass": np.zeros(2)})
    found = prediction_table.read(path, np.array(["b", "c", "a"]), ["edema"])
    np.testing.assert_allclose(found["edema"], [1 / (1 + np.exp(-1)), 0.5, 0.25], rtol=1e-8)
    for ids, labels, message in (
        (["x"], ["edema"], "none of the images"),
        (["a"], ["oedema"], "did you mean 'edema'"),
    ):
        with pytest.raises(DataError, match=message):
            prediction_table.read(path, np.array(ids), labels)
    for cell, message in (("1.5", "1.5 is no probability"), ("?", "is no")):
        path.write_text(f"id,edema\na,{cell}\n")
        with pytest.raises(DataError, match=message):
            prediction_table.read(path, np.array(["a"]), ["edema"])
