"""The supervised objective against its formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from transfer_jax import models, objectives
from transfer_jax.core.errors import ConfigError
from transfer_jax.losses import weighted_mean
from transfer_jax.objectives.protocol import Forward
from transfer_jax.objectives.supervised import AUXILIARY, Supervised
from transfer_jax.train import step

LOGITS = jnp.array([[0.5, -1.0], [2.0, 0.0], [-3.0, 1.0]])
TARGETS = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
WEIGHTS = jnp.array([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]])


def forward_of(logits, auxiliary=()):
    def apply(images, *, train, key=None):
        return Forward(logits, {}, tuple(auxiliary) if train else (), {"mean": images.mean()})

    return apply


def batch(targets=TARGETS, weights=WEIGHTS):
    return {"images": jnp.ones((3, 2, 2, 3)), "targets": targets, "weights": weights}


def loss_of(objective, apply, batch):
    return objective.loss(apply, {}, {}, batch, jax.random.key(0))


def test_the_loss_is_the_weighted_mean_over_the_targets_that_count():
    value, aux = loss_of(Supervised(kind="multilabel"), forward_of(LOGITS), batch())
    each = optax.losses.sigmoid_binary_cross_entropy(LOGITS, TARGETS)
    assert float(value) == pytest.approx(float((each * WEIGHTS).sum()) / 5, rel=1e-6)
    right = (LOGITS > 0) == (TARGETS > 0.5)
    assert float(aux.logged["accuracy"]) == pytest.approx(float(right[WEIGHTS != 0].mean()))
    assert set(aux.logged) == set(Supervised(kind="multilabel").logged)
    assert float(aux.batch_stats["mean"]) == 1.0


def test_auxiliary_heads_count_less_and_in_training_only():
    objective = Supervised(kind="multilabel")
    alone, _ = loss_of(objective, forward_of(LOGITS), batch())
    other, _ = loss_of(objective, forward_of(-LOGITS), batch())
    both, _ = loss_of(objective, forward_of(LOGITS, [-LOGITS]), batch())
    assert float(both) == pytest.approx(float(alone + AUXILIARY * other), rel=1e-6)
    predicted = objective.predict(forward_of(LOGITS, [-LOGITS]), {}, batch())
    np.testing.assert_array_equal(predicted.scores, LOGITS)
    assert float(weighted_mean(predicted.losses, WEIGHTS)) == pytest.approx(float(alone), rel=1e-6)


def test_a_batch_in_which_nothing_counts_gives_zero_and_no_nan():
    value, aux = loss_of(
        Supervised(kind="multilabel"), forward_of(LOGITS), batch(weights=0 * WEIGHTS)
    )
    assert (float(value), float(aux.logged["accuracy"])) == (0.0, 0.0)


def test_indicators_of_a_multiclass_task_are_one_against_the_rest():
    targets, mask = np.array([[2.0], [0.0]]), np.array([[True], [False]])
    indicators, counts = Supervised(kind="multiclass").indicators(targets, mask, np.zeros((2, 3)))
    np.testing.assert_array_equal(indicators, [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(counts, [[True] * 3, [False] * 3])
    same, counts = Supervised(kind="binary").indicators(targets, mask, np.zeros((2, 1)))
    assert same is targets and counts is mask


def test_a_bound_network_trains_and_evaluates_as_the_module_does():
    module = models.create("inception_v3", 2)
    images = jax.random.normal(jax.random.key(0), (2, 75, 75, 3))
    variables = module.init(jax.random.key(1), images, train=False)
    apply = step.bound(module, variables["params"], variables["batch_stats"])
    evaluated = apply(images, train=False)
    np.testing.assert_array_equal(evaluated.logits, module.apply(variables, images, train=False)[0])
    assert evaluated.auxiliary == () and evaluated.batch_stats is variables["batch_stats"]
    trained = apply(images, train=True, key=jax.random.key(2))
    assert [logits.shape for logits in trained.auxiliary] == [(2, 2)]
    before = variables["batch_stats"]
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), trained.batch_stats, before)
    assert all(jax.tree.leaves(moved))


def test_objectives_by_name():
    assert objectives.create("supervised", kind="binary") == Supervised(kind="binary")
    with pytest.raises(ConfigError, match="unknown objective 'supervized': did you mean 'supervis"):
        objectives.create("supervized")
