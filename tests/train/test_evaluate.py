import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.train import evaluate
from transfer_jax.train.step import Prediction

TARGETS = jnp.array([[1.0], [0.0], [1.0], [0.0]])


def predict(variables, images, targets, weights):
    """Scores are the "images" times the only variable."""
    mask = weights != 0
    scores = images * variables["w"]
    return Prediction(scores, targets, mask, variables["loss"] * mask.sum(), mask.sum() * 1.0)


def judged(w=1.0, loss=0.5, images=(0.9, 0.1, 0.8, 0.2), weights=(1.0, 1.0, 1.0, 1.0)):
    batch = (jnp.array(images)[:, None], TARGETS, jnp.array(weights)[:, None])
    variables = {"w": jnp.float32(w), "loss": jnp.float32(loss)}
    return evaluate.evaluate({"m": variables}, [batch], predict, "binary", 1)["m"]


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
    batch = (images, targets, jnp.ones((4, 2)))
    variables = {"w": jnp.float32(1), "loss": jnp.float32(0)}
    report = evaluate.evaluate({"m": variables}, [batch], predict, "multilabel", 2)["m"]
    assert (report["auc"], report["auc_labels"], report["auc/0"]) == (1.0, 1, 1.0)
    assert np.isnan(report["auc/1"])


def test_every_array_of_a_tree_is_looked_at():
    tree = {"a": jnp.ones(3), "b": [jnp.ones((2, 2)), jnp.array([1, 2])]}
    assert bool(evaluate.all_finite(tree))
    assert not bool(evaluate.all_finite({**tree, "c": jnp.array([1.0, -jnp.inf])}))
    assert bool(evaluate.all_finite({}))
