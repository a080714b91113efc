import math

import numpy as np
import pytest

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import bootstrap, subgroups, weighted_auc

RNG = np.random.default_rng(0)
PATIENTS = np.repeat(np.arange(300), 2)
GROUPS = np.array(["a", "b", "c"])[PATIENTS % 3]
TARGETS = RNG.random(600) < 0.4
SHIFTS = {"a": 2.0, "b": 1.2, "c": 0.3}
SCORES = RNG.standard_normal(600) + np.vectorize(SHIFTS.get)(GROUPS) * TARGETS


def auc(name):
    rows = name == GROUPS
    return weighted_auc.statistic(SCORES[rows], TARGETS[rows])(np.ones((rows.sum(), 1)))[0]


def test_the_gap_is_between_the_extreme_groups():
    gap = subgroups.auc_gap(SCORES, TARGETS, GROUPS, PATIENTS)
    assert (gap.highest, gap.lowest) == ("a", "c")
    assert gap.values == {name: pytest.approx(auc(name)) for name in "abc"}
    assert gap.estimate == pytest.approx(auc("a") - auc("c"))
    assert 0 < gap.low < gap.estimate < gap.high < 1
    assert gap.sizes == dict.fromkeys("abc", 200) and not gap.too_small
    assert (gap.resamples, gap.reason) == (2000, "")


def test_two_groups_far_apart_have_the_interval_of_their_difference():
    rows = GROUPS != "b"
    gap = subgroups.auc_gap(SCORES, TARGETS, GROUPS, PATIENTS, counted=rows)

    def difference(weights):
        one, other = (
            weighted_auc.statistic(SCORES, TARGETS, name == GROUPS)(weights) for name in "ac"
        )
        return one - other

    alone = bootstrap.interval(difference, PATIENTS, method="percentile")
    # Deviations are taken off instead of added, so the ends are mirrored.
    assert gap.estimate == pytest.approx(alone.estimate)
    assert gap.low == pytest.approx(2 * alone.estimate - alone.high, abs=2e-3)
    assert gap.high == pytest.approx(2 * alone.estimate - alone.low, abs=2e-3)


def test_equal_groups_have_a_gap_but_their_interval_holds_zero():
    scores = RNG.standard_normal(600) + TARGETS
    gap = subgroups.auc_gap(scores, TARGETS, GROUPS, PATIENTS)
    assert gap.estimate > 0 and gap.low == 0


def test_groups_that_are_too_small_are_counted_and_not_judged():
    groups = GROUPS.astype("U9")
    groups[:12], groups[12:20] = "tiny", ""
    counted = np.ones(600, bool)
    counted[0] = False
    gap = subgroups.auc_gap(SCORES, TARGETS, groups, PATIENTS, counted=counted)
    assert gap.too_small == {"tiny": 11} and set(gap.sizes) == {"a", "b", "c"}
    assert sum(gap.sizes.values()) == 580
    all_judged = subgroups.auc_gap(SCORES, TARGETS, groups, PATIENTS, least=1)
    assert "tiny" in all_judged.sizes


def test_one_group_has_no_gap():
    gap = subgroups.auc_gap(SCORES, TARGETS, np.zeros(600, int), PATIENTS)
    assert math.isnan(gap.estimate) and gap.reason == "fewer than two groups are judged"
    assert gap.sizes == {"0": 600}


def test_groups_that_resamples_do_not_define_give_no_interval():
    groups = np.where(np.arange(600) < 4, "few", "rest")
    gap = subgroups.auc_gap(
        SCORES, np.arange(600) % 2 == 0, groups, np.arange(600), least=1, resamples=400
    )
    assert "of 400 resamples define it" in gap.reason and math.isnan(gap.low)
    assert gap.estimate > 0 and gap.resamples < 400


def test_any_value_per_group():
    values = np.where(GROUPS == "a", 3.0, 1.0) + RNG.standard_normal(600)
    by_group = {name: bootstrap.mean_of(np.where(name == GROUPS, values, np.nan)) for name in "abc"}
    gap = subgroups.largest_gap(by_group, PATIENTS, dict.fromkeys("abc", 200), {"d": 3})
    assert gap.highest == "a" and gap.low < 2 < gap.high and gap.too_small == {"d": 3}
    by_group["d"] = bootstrap.mean_of(np.full(600, np.nan))
    gap = subgroups.largest_gap(by_group, PATIENTS, dict.fromkeys("abcd", 200), {})
    assert gap.reason == "a group does not define it"


def test_a_least_size_is_positive():
    with pytest.raises(AnalysisError, match="least=0 must be positive"):
        subgroups.auc_gap(SCORES, TARGETS, GROUPS, PATIENTS, least=0)


def test_the_nearest_values_of_a_gap_move_as_little_as_they_can():
    values, variances = np.array([0.9, 0.85, 0.7]), np.array([1.0, 1.0, 4.0])
    for gap in (0.0, 0.1, 0.2, 0.3):
        moved = subgroups._nearest(values, variances, gap)
        assert np.ptp(moved) == pytest.approx(gap, abs=1e-6)
        cost = ((moved - values) ** 2 / variances).sum()
        for _ in range(300):
            other = moved + 0.02 * RNG.standard_normal(3)
            other = other.mean() + (other - other.mean()) * (gap / np.ptp(other))
            assert ((other - values) ** 2 / variances).sum() >= cost - 1e-9
