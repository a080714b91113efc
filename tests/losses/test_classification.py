import decimal

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from transfer_jax.losses import classification
from transfer_jax.metrics import ranking
from transfer_jax.metrics.scored import Counted

LOGITS = np.array([[0.3, -1.2, 2.0], [-0.5, 0.1, 0.0]], np.float32)


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_sigmoid_losses_are_cross_entropies(kind):
    logits = LOGITS[:, :1] if kind == "binary" else LOGITS
    targets = np.array([[1, 0, 1], [0, 1, 0]], np.float32)[:, : logits.shape[1]]
    p = 1 / (1 + np.exp(-logits))
    expected = -targets * np.log(p) - (1 - targets) * np.log(1 - p)
    np.testing.assert_allclose(
        classification.per_output(kind, jnp.asarray(logits), jnp.asarray(targets)),
        expected,
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        classification.scores(kind, jnp.asarray(logits)), np.log(p / (1 - p)), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(
        classification.correct(kind, jnp.asarray(logits), jnp.asarray(targets)),
        (p > 0.5) == targets,
    )


def test_softmax_loss():
    targets = np.array([[2], [1]], np.float32)
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    np.testing.assert_allclose(
        classification.per_output("multiclass", jnp.asarray(LOGITS), jnp.asarray(targets))[:, 0],
        -np.log(p[[0, 1], [2, 1]]),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        classification.scores("multiclass", jnp.asarray(LOGITS)), np.log(p / (1 - p)), rtol=1e-4
    )
    np.testing.assert_array_equal(
        classification.correct("multiclass", jnp.asarray(LOGITS), jnp.asarray(targets)), [[1], [1]]
    )


def test_a_label_may_have_a_class_for_uncertain():
    # Label 0: one output; label 1: negative, positive, uncertain (U-MultiClass of Irvin et al.
    # 2019, section 4).
    widths = (1, 3)
    logits = np.array(
        [[0.3, -1.2, 2.0, 0.4], [-0.5, 0.1, 0.0, 3.0], [1.5, 0.2, 0.1, -2.0]], np.float32
    )
    targets = np.array([[1, 1], [0, 2], [1, 0]], np.float32)
    p = np.exp(logits[:, 1:]) / np.exp(logits[:, 1:]).sum(1, keepdims=True)
    one = 1 / (1 + np.exp(-logits[:, 0]))
    loss = classification.per_output(
        "multilabel", jnp.asarray(logits), jnp.asarray(targets), widths
    )
    np.testing.assert_allclose(loss[:, 1], -np.log(p[np.arange(3), [1, 2, 0]]), rtol=1e-5)
    np.testing.assert_allclose(
        loss[:, 0], -np.log(np.where(targets[:, 0] == 1, one, 1 - one)), rtol=1e-5
    )
    scores = classification.scores("multilabel", jnp.asarray(logits), widths)
    np.testing.assert_allclose(scores[:, 1], np.log(p[:, 1] / p[:, 0]), rtol=1e-5)
    np.testing.assert_allclose(scores[:, 0], logits[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(
        classification.correct("multilabel", jnp.asarray(logits), jnp.asarray(targets), widths),
        [[1, 1], [1, 1], [1, 1]],
    )


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_a_label_is_correct_where_its_probability_is_on_the_targets_side_of_one_half(kind):
    logits = jnp.array([[0.1, -0.1], [0.1, -0.1], [5.0, 0.0]])
    targets = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    expected = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    if kind == "binary":
        logits, targets, expected = logits[:, :1], targets[:, :1], expected[:, :1]
    np.testing.assert_array_equal(classification.correct(kind, logits, targets), expected)


def test_a_class_is_correct_where_it_is_the_most_likely():
    logits = jnp.array([[0.3, -1.2, 2.0], [0.3, -1.2, 2.0], [1.0, 0.5, 0.0]])
    correct = classification.correct("multiclass", logits, jnp.array([[2.0], [0.0], [1.0]]))
    np.testing.assert_array_equal(correct, [[1], [0], [0]])


def test_labels_with_three_outputs_and_with_one_are_judged_each_in_their_way():
    logits = jnp.array([[0.3, -1.2, 2.0, 0.4], [-0.5, 0.1, 0.0, 3.0], [1.5, 0.2, 0.1, -2.0]])
    targets = jnp.array([[0.0, 1.0], [0.0, 1.0], [1.0, 2.0]])
    correct = classification.correct("multilabel", logits, targets, (1, 3))
    np.testing.assert_array_equal(correct, [[0, 1], [1, 0], [1, 0]])


@pytest.mark.parametrize("level", [0.0, 19.0, 40.0, -120.0])
def test_sure_predictions_are_still_ranked(level):
    # In float32 the probability of any logit above 17 is 1: ranked by it, all images would tie.
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (400, 1))
    logits = (level + rng.normal(size=(400, 1)) + 0.6 * targets).astype(np.float32)
    scores = classification.scores("binary", jnp.asarray(logits))
    area = ranking.area(Counted(np.asarray(scores)[:, 0], targets[:, 0] > 0))
    assert area.value == pytest.approx(roc_auc_score(targets, logits), abs=1e-9)


@pytest.mark.parametrize("spread", [1.0, 20.0, 200.0])
def test_log_odds_of_a_class_against_the_rest(spread):
    # Checked in 60 digits: float64 loses 1 - p where p is nearly 1.
    logits = (np.random.default_rng(1).normal(size=(50, 4)) * spread).astype(np.float32)
    scores = np.asarray(classification.scores("multiclass", jnp.asarray(logits)))
    with decimal.localcontext(prec=400):
        for row, log_odds in zip(logits, scores, strict=True):
            exponentials = [decimal.Decimal(float(value)).exp() for value in row]
            for i, value in enumerate(exponentials):
                rest = sum(exponentials[:i] + exponentials[i + 1 :])
                assert log_odds[i] == pytest.approx(float((value / rest).ln()), rel=1e-5, abs=1e-5)


def test_equal_logits_are_at_even_odds():
    scores = classification.scores("multiclass", jnp.full((2, 2), 30.0))
    np.testing.assert_allclose(scores, 0.0, atol=1e-6)
    np.testing.assert_allclose(
        classification.scores("multiclass", jnp.full((1, 5), -8.0)), -np.log(4), rtol=1e-5
    )


def test_what_is_not_a_number_stays_so():
    logits = jnp.array([[1.0, jnp.nan], [jnp.inf, 0.0]])
    for kind in ("multilabel", "multiclass"):
        assert not np.isfinite(np.asarray(classification.scores(kind, logits))).all(axis=1).any()
