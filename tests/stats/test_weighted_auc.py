import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import weighted_auc

RNG = np.random.default_rng(0)
TARGETS = (RNG.random(80) < 0.4).astype(np.float32)
SCORES = (RNG.standard_normal(80) + TARGETS).astype(np.float32)


@pytest.mark.parametrize("decimals", [6, 0])  # without ties, and nearly all tied
def test_it_is_scikit_learns_for_every_weighting(decimals):
    scores = SCORES.round(decimals)
    weights = RNG.integers(0, 4, size=(80, 7)).astype(np.float64)
    expected = [roc_auc_score(TARGETS, scores, sample_weight=w) for w in weights.T]
    np.testing.assert_allclose(weighted_auc.statistic(scores, TARGETS)(weights), expected)


def test_rows_that_do_not_count_may_hold_anything():
    counted = RNG.random(80) < 0.7
    scores = np.where(counted, SCORES, np.nan)
    ones = np.ones((80, 1))
    expected = roc_auc_score(TARGETS[counted], SCORES[counted])
    assert weighted_auc.statistic(scores, TARGETS, counted)(ones)[0] == pytest.approx(expected)
    with pytest.raises(AnalysisError, match="scores are NaN"):
        weighted_auc.statistic(scores, TARGETS)


def test_infinities_rank_as_such():
    statistic = weighted_auc.statistic(
        np.array([-np.inf, 0.0, np.inf, np.inf]), np.array([0, 1, 0, 1])
    )
    assert statistic(np.ones((4, 1)))[0] == pytest.approx(2.5 / 4)


def test_a_class_without_weight_gives_nan():
    weights = np.stack([TARGETS, 1 - TARGETS, np.ones(80)], 1)
    values = weighted_auc.statistic(SCORES, TARGETS)(weights)
    assert np.isnan(values).tolist() == [True, True, False]


def test_numbers_of_images_must_agree():
    with pytest.raises(AnalysisError, match="80 scores, 79 targets"):
        weighted_auc.split(SCORES, TARGETS[1:])
    with pytest.raises(AnalysisError, match="79 weights of 80 scores"):
        weighted_auc.statistic(SCORES, TARGETS)(np.ones((79, 1)))
