import math
import time

import numpy as np
import pytest
from scipy import stats

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import bootstrap, weighted_auc

VALUES = np.random.default_rng(3).exponential(size=40)
OWN = np.arange(40)


def test_an_interval_is_scipys_for_the_same_resamples():
    statistic = bootstrap.mean_of(VALUES)
    drawn = bootstrap.resampled(statistic, OWN)
    known = stats._resampling.BootstrapResult(None, drawn, None)
    for method, name in (("bca", "BCa"), ("percentile", "percentile")):
        expected = stats.bootstrap(
            (VALUES,), np.mean, n_resamples=0, bootstrap_result=known, method=name
        ).confidence_interval
        result = bootstrap.interval(statistic, OWN, method=method)
        assert result.estimate == pytest.approx(VALUES.mean())
        assert (result.low, result.high) == pytest.approx((expected.low, expected.high))
        assert (result.resamples, result.reason) == (2000, "")


def test_patients_are_resampled_with_all_of_their_images():
    patients = np.array(["b", "a", "b", "c", "a", "b"])
    seen = []

    def statistic(weights):
        seen.append(weights)
        return weights.sum(0)

    bootstrap.resampled(statistic, patients, resamples=100)
    weights = np.concatenate(seen, axis=1)
    assert weights.shape == (6, 100)
    for name in "abc":
        of_patient = weights[patients == name]
        assert (of_patient == of_patient[0]).all()
    first_of = [np.flatnonzero(patients == name)[0] for name in "abc"]
    assert (weights[first_of].sum(0) == 3).all()  # as many patients as there are
    assert weights[first_of].mean() == pytest.approx(1)


def test_images_of_few_patients_say_less_than_as_many_patients():
    values = np.repeat(VALUES, 5)
    clustered = bootstrap.interval(bootstrap.mean_of(values), np.repeat(OWN, 5))
    naive = bootstrap.interval(bootstrap.mean_of(values), np.arange(200))
    assert clustered.high - clustered.low > 1.8 * (naive.high - naive.low)


def test_a_statistic_of_rows_is_that_of_weights():
    patients = OWN // 2
    by_rows = bootstrap.of_rows(lambda rows: VALUES[rows].mean())
    for method in bootstrap.METHODS:
        assert bootstrap.interval(by_rows, patients, method=method) == pytest.approx(
            bootstrap.interval(bootstrap.mean_of(VALUES), patients, method=method), nan_ok=True
        )


def test_resamples_are_a_function_of_the_seed():
    first, again, other = (
        bootstrap.interval(bootstrap.mean_of(VALUES), OWN, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again and first != other


def test_blocks_do_not_matter(monkeypatch):
    expected = bootstrap.jackknife(bootstrap.mean_of(VALUES), OWN)
    monkeypatch.setattr(bootstrap, "_ELEMENTS", 300)
    drawn = bootstrap.resampled(bootstrap.mean_of(VALUES), OWN)
    assert drawn.shape == (2000,) and drawn.std() == pytest.approx(VALUES.std() / 40**0.5, rel=0.1)
    by_hand = [np.delete(VALUES, i).mean() for i in OWN]
    np.testing.assert_allclose(bootstrap.jackknife(bootstrap.mean_of(VALUES), OWN), expected)
    np.testing.assert_allclose(expected, by_hand)


def test_groups_of_patients_give_the_acceleration_of_all(monkeypatch):
    values = np.random.default_rng(0).exponential(size=3000)
    statistic, patients = bootstrap.mean_of(values), np.arange(3000)
    drawn = bootstrap.resampled(statistic, patients)
    shares = np.array([0.025, 0.975])
    grouped = bootstrap.jackknife(statistic, patients)
    monkeypatch.setattr(bootstrap, "_GROUPS", 3000)
    alone = bootstrap.jackknife(statistic, patients)
    assert (len(grouped), len(alone)) == (2000, 3000)
    np.testing.assert_allclose(
        bootstrap.bca_shares(drawn, values.mean(), grouped, shares),
        bootstrap.bca_shares(drawn, values.mean(), alone, shares),
        atol=2e-3,
    )


def test_resamples_without_a_class_are_left_out_and_counted():
    targets = np.r_[np.ones(4), np.zeros(60)]
    statistic = weighted_auc.statistic(np.random.default_rng(0).random(64), targets)
    result = bootstrap.interval(statistic, np.arange(64))
    assert 2000 * 0.96 < result.resamples < 2000  # e^-4 have none of the four
    assert 0 <= result.low < result.estimate < result.high <= 1


@pytest.mark.parametrize(
    ("values", "patients", "reason"),
    [
        (np.ones(10), np.arange(10), "all resamples give 1.000"),
        (VALUES[:10], np.zeros(10, int), "all images are of one patient"),
        (np.r_[VALUES[0], [np.nan] * 9], np.arange(10), "of 2,000 resamples define it"),
        (np.full(10, np.nan), np.arange(10), "all images do not define it"),
    ],
)
@pytest.mark.parametrize("method", bootstrap.METHODS)
def test_what_has_no_interval_says_why(values, patients, reason, method):
    result = bootstrap.interval(bootstrap.mean_of(values), patients, method=method)
    assert math.isnan(result.low) and math.isnan(result.high)
    assert reason in result.reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "normal"}, "choose one of bca, percentile"),
        ({"resamples": 99}, "at least 100 resamples"),
        ({"level": 1.0}, r"the level is in \(0, 1\)"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(AnalysisError, match=message):
        bootstrap.interval(bootstrap.mean_of(VALUES), OWN, **options)


def test_no_images_are_an_error():
    with pytest.raises(AnalysisError, match="no images"):
        bootstrap.interval(bootstrap.mean_of(VALUES[:0]), OWN[:0])


def test_an_auc_of_600_images_takes_under_two_seconds():
    rng = np.random.default_rng(0)
    targets = rng.random(600) < 0.4
    statistic = weighted_auc.statistic(rng.standard_normal(600) + targets, targets)
    start = time.process_time()
    bootstrap.interval(statistic, rng.integers(300, size=600))
    assert time.process_time() - start < 2


def test_a_statistic_that_resampling_biases_has_no_bca_interval():
    # The number of different images: every resample has fewer.
    def different(weights):
        return (weights > 0).sum(0).astype(float)

    (found,) = bootstrap.intervals([different], np.arange(50), resamples=200)
    assert found.estimate == 50 and np.isnan(found.low)
    assert found.reason == "nearly all resamples lie on one side of it"
    (plain,) = bootstrap.intervals([different], np.arange(50), resamples=200, method="percentile")
    assert plain.low < plain.high < 50
