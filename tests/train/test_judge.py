import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.objectives.supervised import Supervised
from transfer_jax.train.judge import Judge, all_finite
from transfer_jax.train.step import Prediction

TARGETS = jnp.array([[1.0], [0.0], [1.0], [0.0]])


def predict(variables, objective_params, batch):
    """Scores are the "images" times the only variable."""
    mask = batch["weights"] != 0
    scores = batch["images"] * variables["w"]
    loss = variables["loss"] * mask.sum()
    return Prediction(scores, batch["targets"], mask, loss, mask.sum() * 1.0)


def evaluate(variables, images, targets, weights, kind="binary", metrics=("auc",)):
    batch = {"images": images, "targets": targets, "weights": weights}
    outputs = ("edema", "pleural effusion", "nodule")[: images.shape[1]]
    judge = Judge(Supervised(kind=kind), predict, outputs, kind == "multiclass", metrics)
    return judge.evaluate({"m": (variables, {})}, [batch])["m"]


def judged(w=1.0, loss=0.5, images=(0.9, 0.1, 0.8, 0.2), weights=(1.0, 1.0, 1.0, 1.0)):
    variables = {"w": jnp.float32(w), "loss": jnp.float32(loss)}
    return evaluate(variables, jnp.array(images)[:, None], TARGETS, jnp.array(weights)[:, None])


def test_a_sound_member():
    assert judged() == {"auc": 1.0, "loss": 0.5, "diverged": False}


@pytest.mark.parametrize(
    ("changes", "auc"),
    [
        ({"w": np.nan}, np.nan),
        ({"loss": np.inf}, 1.0),
        ({"loss": np.nan}, 1.0),
        ({"images": (np.inf, 0.1, 0.8, 0.2)}, 1.0),
        ({"images": (np.nan, 0.1, 0.8, 0.2)}, np.nan),
    ],
)
def test_a_member_of_which_anything_is_not_finite_has_diverged(changes, auc):
    report = judged(**changes)
    assert report["diverged"]
    np.testing.assert_equal(report["auc"], auc)


def test_a_mean_over_labels_counts_those_that_have_an_auc():
    images = jnp.array([[0.9, 0.5], [0.1, 0.4], [0.8, 0.3], [0.2, 0.1]])
    targets = jnp.concatenate([TARGETS, jnp.zeros((4, 1))], axis=1)
    variables = {"w": jnp.float32(1), "loss": jnp.float32(0)}
    report = evaluate(variables, images, targets, jnp.ones((4, 2)), "multilabel")
    assert (report["auc"], report["auc_labels"], report["auc/edema"]) == (1.0, 1, 1.0)
    assert np.isnan(report["auc/pleural effusion"])


def test_metrics_are_reported_by_their_names_and_the_auc_always():
    variables = {"w": jnp.float32(1), "loss": jnp.float32(0)}
    images = jnp.array([[2.0, 1.0], [-1.0, 2.0], [0.5, -3.0], [1.0, 0.1]])
    targets = jnp.concatenate([TARGETS, 1 - TARGETS], axis=1)
    chosen = ("f1", "accuracy")
    report = evaluate(variables, images, targets, jnp.ones((4, 2)), "multilabel", chosen)
    assert list(report) == [
        "auc", "f1", "accuracy", "loss", "diverged",
        "auc_labels", "auc_weighted", "auc_micro", "auc/edema", "auc/pleural effusion",
        "f1_weighted", "f1_micro", "f1/edema", "f1/pleural effusion",
        "accuracy/edema", "accuracy/pleural effusion",
    ]  # fmt: skip
    assert report["f1/edema"] == pytest.approx(0.8)
    assert report["accuracy"] == 0.75


def test_classes_are_judged_with_each_other():
    variables = {"w": jnp.float32(1), "loss": jnp.float32(0)}
    images = jnp.array([[2.0, 1.0, -1.0], [-1.0, 2.0, 0.0], [0.5, -3.0, 0.0], [1.0, 0.1, 0.0]])
    targets = jnp.array([[0.0], [1.0], [2.0], [0.0]])
    chosen = ("accuracy", "kappa")
    report = evaluate(variables, images, targets, jnp.ones((4, 1)), "multiclass", chosen)
    assert report["accuracy"] == 0.75
    assert 0 < report["kappa"] < 1 and "kappa/edema" not in report


def test_every_array_of_a_tree_is_looked_at():
    tree = {"a": jnp.ones(3), "b": [jnp.ones((2, 2)), jnp.array([1, 2])]}
    assert bool(all_finite(tree))
    assert not bool(all_finite({**tree, "c": jnp.array([1.0, -jnp.inf])}))
    assert bool(all_finite({}))
