import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from transfer_jax.metrics import ranking
from transfer_jax.metrics.training import TrainMetrics


def auc(scores, targets, mask=None):
    mask = np.ones(scores.shape, bool) if mask is None else mask
    return ranking.auc(ranking.count_pairs(jnp.asarray(scores, jnp.float32), jnp.asarray(targets, jnp.float32), jnp.asarray(mask)))


@pytest.mark.parametrize("n", [2, 10, 1000, 20_000])
@pytest.mark.parametrize("levels", [2, 7, 10**6])
def test_auc_equals_scikit_learn_ties_included(n, levels):
    rng = np.random.default_rng(n + levels)
    scores = rng.integers(0, levels, (n, 3)).astype(np.float32)
    targets = rng.integers(0, 2, (n, 3))
    targets[0], targets[1] = 0, 1
    wanted = [roc_auc_score(targets[:, i], scores[:, i]) for i in range(3)]
    np.testing.assert_allclose(auc(scores, targets), wanted, rtol=1e-12)


def test_masked_rows_do_not_count():
    rng = np.random.default_rng(0)
    scores, targets, mask = rng.normal(size=(500, 2)), rng.integers(0, 2, (500, 2)), rng.uniform(size=(500, 2)) < 0.6
    scores = scores.astype(np.float32)
    wanted = [roc_auc_score(targets[mask[:, i], i], scores[mask[:, i], i]) for i in range(2)]
    np.testing.assert_allclose(auc(scores, targets, mask), wanted, rtol=1e-12)


def test_counts_beyond_32_bits_are_exact():
    # 400,000 positives above 400,000 negatives: 1.6e11 pairs.
    n = 400_000
    scores = np.concatenate([np.ones(n), np.zeros(n)])[:, None]
    targets = scores.copy()
    scores[0] = -1  # one positive below all
    assert auc(scores, targets)[0] == (n - 1) / n
    assert 2 * n < ranking.MAX_ROWS


def test_an_empty_class_has_no_auc():
    assert np.isnan(auc(np.zeros((4, 1)), np.ones((4, 1)))).all()


def test_one_score_that_is_not_a_number_leaves_no_auc():
    targets = np.array([[0, 0], [1, 1], [0, 0], [1, 1]])
    scores = np.array([[0.1, 0.1], [np.nan, 0.9], [0.2, 0.2], [0.8, 0.8]])
    found = auc(scores, targets)
    assert np.isnan(found[0])
    assert found[1] == 1.0
    mask = np.array([[True, True], [False, True], [True, True], [True, True]])
    assert auc(scores, targets, mask)[0] == 1.0  # a row that does not count may hold anything


@pytest.mark.parametrize("seed", range(5))
def test_infinities_rank_as_what_they_are(seed):
    rng = np.random.default_rng(seed)
    scores = rng.choice([-np.inf, -1.0, 0.0, 2.0, np.inf], (60, 2)).astype(np.float32)
    targets = rng.integers(0, 2, (60, 2))
    mask = rng.uniform(size=(60, 2)) < 0.7
    finite = np.clip(scores, -1e9, 1e9)
    wanted = [roc_auc_score(targets[mask[:, i], i], finite[mask[:, i], i]) for i in range(2)]
    np.testing.assert_allclose(auc(scores, targets, mask), wanted, rtol=1e-12)


def test_one_against_rest():
    np.testing.assert_array_equal(ranking.one_against_rest(jnp.array([[2.0], [0.0]]), 3), [[0, 0, 1], [1, 0, 0]])


def test_training_averages_merge():
    a = TrainMetrics.single_from_model_output(loss=jnp.float32(1.0), accuracy=jnp.float32(0.0))
    b = TrainMetrics.single_from_model_output(loss=jnp.float32(3.0), accuracy=jnp.float32(1.0))
    assert TrainMetrics.empty().merge(a).merge(b).compute() == {"loss": 2.0, "accuracy": 0.5}
