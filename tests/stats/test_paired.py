import math

import numpy as np
import pytest

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import bootstrap, paired, weighted_auc
from transfer_jax.stats.intervals import Interval

RNG = np.random.default_rng(0)
PATIENTS = np.repeat(np.arange(60), 2)
TARGETS = np.repeat(RNG.random(60) < 0.4, 2)
A, B = (RNG.standard_normal((2, 120)) + shift * TARGETS for shift in (1.6, 0.8))


def auc(scores, rows=slice(None)):
    return float(
        weighted_auc.statistic(scores[rows], TARGETS[rows])(np.ones((len(TARGETS[rows]), 1)))[0]
    )


def test_over_repeats_pairs_them_in_order():
    found = paired.over_repeats([0.9, 0.8, math.nan, 0.7], [0.8, 0.75, 0.5, 0.7])
    assert found == pytest.approx(Interval.of([0.1, 0.05, 0.0])) and found.number == 3
    assert (found.low, found.high) == (found.mean - found.half, found.mean + found.half)
    with pytest.raises(AnalysisError, match="1 and 2 repeats cannot be paired"):
        paired.over_repeats([0.1], [0.1, 0.2])


def test_all_repeats_see_the_same_resample():
    options = {"method": "percentile", "resamples": 100}
    found = paired.auc_difference(A, B, TARGETS, PATIENTS, **options)

    def by_rows(rows):
        return np.mean([auc(a, rows) - auc(b, rows) for a, b in zip(A, B, strict=True)])

    slow = bootstrap.interval(bootstrap.of_rows(by_rows), PATIENTS, **options)
    assert found == pytest.approx(slow, nan_ok=True)
    assert found.low > 0
    noise = RNG.standard_normal((2, 120))
    same = paired.auc_difference(A, A + 1e-9 * noise, TARGETS, PATIENTS)
    assert "all resamples give" in same.reason  # paired: no difference in any resample


def test_repeats_that_are_judged_by_folds():
    fold = np.stack([PATIENTS % 2 == 0, PATIENTS % 2 == 1])
    a, b = (np.where(fold, scores, np.nan) for scores in (A, B))
    found = paired.auc_difference(a, b, TARGETS, PATIENTS, counted=fold)
    expected = np.mean([auc(A[r], fold[r]) - auc(B[r], fold[r]) for r in range(2)])
    assert found.estimate == pytest.approx(expected)
    everywhere = paired.auc_difference(A, B, TARGETS, PATIENTS, counted=np.ones(120, bool))
    assert everywhere == paired.auc_difference(A, B, TARGETS, PATIENTS)


def test_arms_of_different_repeats_are_an_error():
    with pytest.raises(AnalysisError, match="2 and 1 repeats"):
        paired.auc_difference(A, B[:1], TARGETS, PATIENTS)
    with pytest.raises(AnalysisError, match="1 rows of `counted`"):
        paired.auc_difference(A, B, TARGETS, PATIENTS, counted=np.ones((1, 120), bool))
    with pytest.raises(AnalysisError, match="0 and 0 repeats"):
        paired.difference([], [])


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0.0214, 0.008, 0.034), "higher by 0.021 [0.008, 0.034]"),
        ((-0.0214, -0.034, -0.008), "lower by 0.021 [0.008, 0.034]"),
        ((0.004, -0.01, 0.018), "no difference seen (0.004 [-0.010, 0.018])"),
        ((0.1, 0.0, 0.2), "no difference seen (0.100 [0.000, 0.200])"),
        ((0.1, math.nan, math.nan), "not known (0.100, too few values)"),
        ((math.nan, math.nan, math.nan, "no images"), "not known (no images)"),
    ],
)
def test_words(numbers, words):
    assert paired.in_words(*numbers) == words
