import numpy as np
import pytest
from scipy import special, stats

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import delong

RNG = np.random.default_rng(1)
PATIENTS = np.sort(RNG.integers(30, size=70))
TARGETS = RNG.random(70) < 0.4
SCORES = (RNG.standard_normal((3, 70)) + TARGETS).round(1)  # with ties


def placements(scores):
    """By all pairs: O(n^2)."""
    x, y = scores[TARGETS][:, None], scores[~TARGETS][None]
    above = (x > y) + 0.5 * (x == y)
    return above.mean(1), above.mean(0)


def delong_by_pairs(scores, other):
    """The paper's equations 4 to 6."""
    (x, y), (x2, y2) = placements(scores), placements(other)
    return np.cov(x, x2)[0, 1] / len(x) + np.cov(y, y2)[0, 1] / len(y)


def obuchowski_by_pairs(scores, other):
    """Her equations, patient by patient."""
    everyone = np.unique(PATIENTS)
    total = 0.0
    parts = []
    for one in (scores, other):
        x, y = placements(one)
        auc = x.mean()
        of_x = [(x[PATIENTS[TARGETS] == k] - auc).sum() for k in everyone]
        of_y = [(y[PATIENTS[~TARGETS] == k] - auc).sum() for k in everyone]
        parts.append((of_x, of_y))
    (x1, y1), (x2, y2) = parts
    m, n = TARGETS.sum(), (~TARGETS).sum()
    with_x = len(set(PATIENTS[TARGETS]))
    with_y = len(set(PATIENTS[~TARGETS]))
    count = len(everyone)
    for k in range(count):
        total += with_x / (with_x - 1) * x1[k] * x2[k] / m**2
        total += with_y / (with_y - 1) * y1[k] * y2[k] / n**2
        total += count / (count - 1) * (x1[k] * y2[k] + x2[k] * y1[k]) / (m * n)
    return total


@pytest.mark.parametrize(
    ("patients", "by_pairs"), [(None, delong_by_pairs), (PATIENTS, obuchowski_by_pairs)]
)
def test_covariances_are_those_of_all_pairs(patients, by_pairs):
    areas = delong.areas(SCORES, TARGETS, patients)
    expected = [[by_pairs(a, b) for b in SCORES] for a in SCORES]
    np.testing.assert_allclose(areas.covariance, expected, rtol=1e-10)
    np.testing.assert_allclose(areas.auc, [placements(of)[0].mean() for of in SCORES])


def test_one_image_per_patient_is_delongs():
    alone = delong.areas(SCORES, TARGETS, RNG.permutation(70))
    np.testing.assert_allclose(alone.covariance, delong.areas(SCORES, TARGETS).covariance)


def test_images_that_do_not_count():
    counted = RNG.random(70) < 0.8
    some = delong.areas(np.where(counted, SCORES, np.nan), TARGETS, PATIENTS, counted)
    expected = delong.areas(SCORES[:, counted], TARGETS[counted], PATIENTS[counted])
    np.testing.assert_allclose(some.auc, expected.auc)
    # The part that classes share counts all patients, also those without images that count.
    np.testing.assert_allclose(some.covariance, expected.covariance, rtol=0.05)


def test_the_interval_is_symmetric_in_log_odds_and_inside_of_0_and_1():
    areas = delong.Areas(np.array([0.97]), np.array([[0.03**2]]))
    found = delong.interval(areas)
    low, high = special.logit([found.low, found.high])
    assert (low + high) / 2 == pytest.approx(special.logit(0.97))
    error = 0.03 / (0.97 * 0.03)
    assert (high - low) / 2 == pytest.approx(stats.norm.ppf(0.975) * error)
    assert 0 < found.low < 0.97 < found.high < 1


def test_the_difference_and_its_p_value():
    areas = delong.areas(SCORES, TARGETS, PATIENTS)
    found = delong.difference(areas, 0, 2)
    a, b, c = areas.covariance[[0, 2, 0], [0, 2, 2]]
    error = (a + b - 2 * c) ** 0.5
    assert found.estimate == pytest.approx(areas.auc[0] - areas.auc[2])
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.estimate) / error))
    assert found.high - found.low == pytest.approx(2 * 1.959964 * error, rel=1e-6)


def test_what_has_no_interval_says_why():
    perfect = delong.areas(TARGETS[None].astype(float), TARGETS)
    assert delong.interval(perfect).reason == "the AUC is 1, whose variance is estimated as zero"
    same = delong.areas(np.stack([SCORES[0], SCORES[0]]), TARGETS)
    assert "estimated as zero" in delong.difference(same).reason
    none = delong.areas(SCORES, np.zeros(70))
    assert delong.interval(none).reason == "there are no positives"
    one = delong.areas(SCORES, TARGETS, np.where(TARGETS, 99, PATIENTS))
    assert delong.difference(one).reason == "all positives are of one patient"
    for found in (delong.interval(none), delong.difference(one), delong.difference(same)):
        assert np.isnan([found.low, found.high, found.p]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SCORES[:0], TARGETS), "no scores"),
        ((SCORES, TARGETS[1:]), "70 scores, 69 targets"),
        ((SCORES, TARGETS, PATIENTS[1:]), "70 scores, 69 patients"),
        ((np.full((1, 70), np.nan), TARGETS), "NaN"),
    ],
)
def test_arguments_that_cannot_be(arguments, message):
    with pytest.raises(AnalysisError, match=message):
        delong.areas(*arguments)


def test_a_level_is_a_share():
    with pytest.raises(AnalysisError, match=r"level=95 must be in \(0, 1\)"):
        delong.interval(delong.areas(SCORES, TARGETS), level=95)
