r"""Areas under ROC curves of the same images: variances, intervals and tests without resampling.

    areas = delong.areas(scores, targets, patients)   # scores [k, n]
    delong.interval(areas)          # of the first
    delong.difference(areas)        # of the first minus the second, with its p-value

The placement of a positive is the share of the negatives that it is above (ties count one half),
and the other way round; an AUC is their mean. DeLong's variance is that of the mean of the
placements of the positives and of the negatives. Where patients have several images, placements
are summed by patient first (Obuchowski), which is DeLong's variance where they have one.

Source: DeLong, DeLong, Clarke-Pearson, Biometrics 1988; Sun and Xu, IEEE Signal Processing Letters
2014 (placements by midranks, O(n log n)); Obuchowski, "Nonparametric analysis of clustered ROC
curve data", Biometrics 1997.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped
from scipy import special, stats

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import bootstrap, weighted_auc
from transfer_jax.stats.intervals import LEVEL


class Areas(NamedTuple):
    """AUCs of the same images.

    Attributes:
      auc: The AUCs, [k].
      covariance: Their covariance, [k, k]; NaN where a class has fewer than two patients.
      reason: Why the covariance is NaN; "" where it is not.
    """

    auc: Float[np.ndarray, " k"]
    covariance: Float[np.ndarray, "k k"]
    reason: str = ""


class Estimate(NamedTuple):
    """A number with its interval.

    Attributes:
      estimate: The number.
      low: Lower end of the interval; NaN where there is none.
      high: Upper end of the interval; NaN where there is none.
      p: Two-sided p-value of a difference of zero; NaN for a single AUC.
      reason: Why there is no interval; "" where there is one.
    """

    estimate: float
    low: float
    high: float
    p: float = math.nan
    reason: str = ""


def areas(
    scores: Float[np.ndarray, "k n"],
    targets: Num[np.ndarray, " _"] | Bool[np.ndarray, " _"],
    patients: Shaped[np.ndarray, " _"] | None = None,
    counted: Bool[np.ndarray, " _"] | None = None,
) -> Areas:
    """Computes AUCs and their covariance.

    Args:
      scores: Scores of k networks for n images, on any monotone scale.
      targets: Targets, [n]; above 0.5 is positive.
      patients: Patient of every image, [n]; every image is one's own where None.
      counted: False for images that do not count, [n]; all count where None.

    Raises:
      AnalysisError: The lengths differ, or a score that counts is NaN.
    """
    rows = [weighted_auc.split(of_one, targets, counted) for of_one in scores]
    if not rows:
        raise AnalysisError("there are no scores")
    positives, negatives = rows[0]
    weighted_auc.check_lengths(scores=scores[0], patients=patients)
    nothing = np.full((len(scores),) * 2, math.nan)
    if not len(positives) or not len(negatives):
        missing = "positives" if not len(positives) else "negatives"
        return Areas(np.full(len(scores), math.nan), nothing, f"there are no {missing}")
    of_positives, of_negatives = _placements(scores[:, positives], scores[:, negatives])
    auc = of_positives.mean(1)
    everyone = np.arange(len(targets)) if patients is None else np.asarray(patients)
    numbers, count = bootstrap.number_patients(everyone)
    sides = []
    for rows_of_class, placements in ((positives, of_positives), (negatives, of_negatives)):
        owners = numbers[rows_of_class]
        if len(np.unique(owners)) < 2:
            which = "positives" if rows_of_class is positives else "negatives"
            return Areas(auc, nothing, f"all {which} are of one patient")
        sides.append(_Side(*_by_patient(placements - auc[:, None], owners, count), len(owners)))
    return Areas(auc, _covariance(*sides))


class _Side(NamedTuple):
    """Placements of one class, without their mean, summed by patient [k, patients]; the number of
    patients with images of the class; the number of these images.
    """

    sums: np.ndarray
    patients: int
    images: int


def _by_patient(values: np.ndarray, owners: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    sums = np.stack([np.bincount(owners, of_one, minlength=count) for of_one in values])
    return sums, len(np.unique(owners))


def _covariance(x: _Side, y: _Side) -> np.ndarray:
    """Obuchowski's covariance: the classes' own parts, and what patients with both share."""

    def products(one: _Side, other: _Side, patients: int) -> np.ndarray:
        scale = patients / (patients - 1) / (one.images * other.images)
        return scale * (one.sums @ other.sums.T)

    shared = products(x, y, x.sums.shape[1])
    return products(x, x, x.patients) + products(y, y, y.patients) + shared + shared.T


def _placements(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the placements of x [k, m] among y [k, n], and of y among x, by midranks."""
    m, n = x.shape[1], y.shape[1]
    rank = stats.rankdata  # of ties their mean: the midrank
    together = rank(np.concatenate([x, y], 1), axis=1)
    return (together[:, :m] - rank(x, axis=1)) / n, 1 - (together[:, m:] - rank(y, axis=1)) / m


def interval(areas: Areas, index: int = 0, level: float = LEVEL) -> Estimate:
    """Returns the interval of one AUC.

    It is symmetric in log(AUC / (1 - AUC)), whose standard error is that of the AUC over
    AUC (1 - AUC), so that it stays inside of [0, 1] (Pepe 2003, section 5.2.3). An AUC of 0 or 1
    has none: the variance of perfect order is estimated as zero.
    """
    auc, variance = float(areas.auc[index]), float(areas.covariance[index, index])
    if areas.reason:
        return Estimate(auc, math.nan, math.nan, reason=areas.reason)
    if not 0 < auc < 1 or not variance > 0:
        reason = f"the AUC is {auc:g}, whose variance is estimated as zero"
        return Estimate(auc, math.nan, math.nan, reason=reason)
    half = _quantile(level) * math.sqrt(variance) / (auc * (1 - auc))
    low, high = special.expit(special.logit(auc) + np.array([-half, half]))
    return Estimate(auc, float(low), float(high))


def difference(areas: Areas, a: int = 0, b: int = 1, level: float = LEVEL) -> Estimate:
    """Returns AUC a minus AUC b with its interval and p-value, by the normal distribution."""
    estimate = float(areas.auc[a] - areas.auc[b])
    if areas.reason:
        return Estimate(estimate, math.nan, math.nan, reason=areas.reason)
    covariance = areas.covariance
    variance = float(covariance[a, a] + covariance[b, b] - 2 * covariance[a, b])
    # Of equal orders it is zero, but for rounding.
    if not variance > 1e-12 * float(covariance[a, a] + covariance[b, b]):
        reason = "the variance of the difference is estimated as zero"
        return Estimate(estimate, math.nan, math.nan, reason=reason)
    error = math.sqrt(variance)
    half = _quantile(level) * error
    p = 2 * float(special.ndtr(-abs(estimate) / error))
    return Estimate(estimate, estimate - half, estimate + half, p)


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise AnalysisError(f"level={level} must be in (0, 1)")
    return float(special.ndtri((1 + level) / 2))
