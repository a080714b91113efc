"""Confidence intervals by resampling patients, each with all of its images.

    result = bootstrap.interval(weighted_auc.statistic(scores, targets), patients)
    result = bootstrap.interval(bootstrap.of_rows(lambda rows: losses[rows].mean()), patients)

Images of a patient resemble each other, so that resampling images would give intervals that are
too short. A resample is a number of times per patient, and a statistic is a function of the weights
of the rows (images), which a sort or a table can be shared over; `of_rows` adapts a function of row
indices. Whatever is computed from the same weights is paired: differences of arms, and means over
repeats (`paired`).

Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapters 13 and 14 (BCa);
Field and Welsh, "Bootstrapping clustered data", JRSS B 2007.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import special

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats.intervals import LEVEL

Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights [n, r], one column per resample -> values [r], or [k, r] of k statistics; NaN where a
resample does not define it."""

METHODS = ("bca", "percentile")
RESAMPLES = 2000
_ENOUGH = 0.9  # share of the resamples that must define the statistic
_LEAST_RESAMPLES = 100
_LEAST_SHARE = 0.025  # of the resamples on either side of the estimate
_GROUPS = 2000  # of patients that the jackknife leaves out at once, at most
_ELEMENTS = 1 << 18  # weights of one call of a statistic: 2 MB, which a core keeps near


class Bootstrapped(NamedTuple):
    """A statistic with its bootstrap interval.

    Attributes:
      estimate: The statistic of all rows.
      low: Lower end of the interval; NaN where there is none.
      high: Upper end of the interval; NaN where there is none.
      resamples: Number of resamples in use: those that define the statistic.
      reason: Why there is no interval; "" where there is one.
    """

    estimate: float
    low: float
    high: float
    resamples: int
    reason: str = ""


def interval(
    statistic: Statistic,
    patients: Shaped[np.ndarray, " n"],
    *,
    method: str = "bca",
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Bootstrapped:
    """Computes the interval of a statistic.

    Args:
      statistic: Function of the weights of the rows, with one value per resample.
      patients: Patient of every row, [n]: numbers or names.
      method: "bca" (bias-corrected and accelerated; the jackknife leaves out patients), or
        "percentile".
      resamples: Number of resamples, at least 100.
      seed: Seed of the resamples.
      level: Level of the interval, in (0, 1).

    Returns:
      The interval. Resamples that do not define the statistic (without positives, say) are left out
      and missing in `resamples`. There is no interval, but a reason, where all rows do not define
      it, there is one patient, all resamples give one value, less than nine tenths define it,
      or (BCa) nearly all lie on one side of the statistic.

    Raises:
      AnalysisError: An option is out of its range, or there are no rows.
    """
    (found,) = intervals(
        [statistic], patients, method=method, resamples=resamples, seed=seed, level=level
    )
    return found


def intervals(
    statistics: Sequence[Statistic],
    patients: Shaped[np.ndarray, " n"],
    *,
    method: str = "bca",
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> list[Bootstrapped]:
    """Computes the intervals of several statistics from the same resamples.

    Arguments, results and errors are those of `interval`.
    """
    if method not in METHODS:
        raise AnalysisError(f"method={method!r}: choose one of {', '.join(METHODS)}")
    if not statistics:
        return []

    def together(weights: np.ndarray) -> np.ndarray:
        return np.stack([one(weights) for one in statistics])

    numbers, count = number_patients(patients)
    estimates = together(np.ones((len(numbers), 1)))[:, 0]
    nothing = np.zeros((len(statistics), 0))
    several = count > 1
    draw = functools.partial(resampled, resamples=resamples, seed=seed, level=level)
    drawn = draw(together, patients) if several else nothing
    left_out = jackknife(together, patients) if several and method == "bca" else nothing
    shares = np.array([(1 - level) / 2, (1 + level) / 2])
    found = []
    for estimate, values, without in zip(estimates.tolist(), drawn, left_out, strict=True):
        values = values[np.isfinite(values)]
        reason = problem(values, resamples)
        if not math.isfinite(estimate):
            values, reason = values[:0], "all images do not define it"
        elif not several:
            reason = "all images are of one patient"
        elif not reason and method == "bca" and _one_sided(values, estimate):
            reason = "nearly all resamples lie on one side of it"
        if reason:
            found.append(Bootstrapped(estimate, math.nan, math.nan, len(values), reason))
            continue
        ends = bca_shares(values, estimate, without, shares) if method == "bca" else shares
        low, high = np.quantile(values, ends)
        found.append(Bootstrapped(estimate, float(low), float(high), len(values)))
    return found


def problem(values: Float[np.ndarray, " r"], resamples: int) -> str:
    """Returns why finite values of resamples give no interval; "" where they do."""
    if len(values) < _ENOUGH * resamples:
        return f"only {len(values):,} of {resamples:,} resamples define it"
    if np.ptp(values) == 0:
        return f"all resamples give {values[0]:.3f}, so that they do not say how certain it is"
    return ""


def _one_sided(values: Float[np.ndarray, " r"], estimate: float) -> bool:
    """Returns whether a statistic is so biased under resampling that BCa would read off its tail.

    The expected calibration error is: a resample repeats images, which look like miscalibration.
    """
    below = ((values < estimate).mean() + (values <= estimate).mean()) / 2
    return bool(min(below, 1 - below) < _LEAST_SHARE)


def number_patients(patients: Shaped[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], int]:
    """Returns the number of every row's patient, from 0, and how many patients there are.

    Raises:
      AnalysisError: There are no rows.
    """
    names, numbers = np.unique(np.asarray(patients), return_inverse=True)
    if not len(names):
        raise AnalysisError("there are no images to resample")
    return numbers, len(names)


def resampled(
    statistic: Statistic,
    patients: Shaped[np.ndarray, " n"],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Float[np.ndarray, "*k r"]:
    """Computes the statistic of every resample; the arguments and errors are those of `interval`.

    The same patients, number and seed give the same resamples whatever the statistic is.
    """
    if resamples < _LEAST_RESAMPLES or not 0 < level < 1:
        raise AnalysisError(
            f"resamples={resamples}, level={level}: there are at least {_LEAST_RESAMPLES} "
            "resamples, and the level is in (0, 1)"
        )
    numbers, count = number_patients(patients)
    rng = np.random.default_rng(seed)

    def weights() -> Iterator[np.ndarray]:
        for size in _sizes(resamples, len(numbers)):
            drawn = rng.integers(count, size=(count, size))
            times = np.bincount((drawn * size + np.arange(size)).ravel(), minlength=count * size)
            yield times.reshape(count, size).astype(np.float64)[numbers]

    return np.concatenate([np.asarray(statistic(block)) for block in weights()], axis=-1)


def jackknife(
    statistic: Statistic, patients: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, "*k g"]:
    """Computes the statistic without each patient in turn.

    Of more than 2,000 patients, every 2,000th is left out together: the skewness of the influence
    of a patient is estimated from sums over such groups as well.
    """
    numbers, count = number_patients(patients)
    groups = numbers % min(count, _GROUPS)
    values, start = [], 0
    for size in _sizes(min(count, _GROUPS), len(numbers)):
        left_out = np.arange(start, start + size)
        values.append(np.asarray(statistic((groups[:, None] != left_out).astype(np.float64))))
        start += size
    return np.concatenate(values, axis=-1)


def _sizes(columns: int, rows: int) -> Iterator[int]:
    """Yields the numbers of columns of the blocks in which weights are made."""
    most = max(1, min(columns, _ELEMENTS // rows))
    yield from (min(most, columns - start) for start in range(0, columns, most))


def bca_shares(
    values: Float[np.ndarray, " r"],
    estimate: float,
    left_out: Float[np.ndarray, " g"],
    shares: Float[np.ndarray, " s"],
) -> Float[np.ndarray, " s"]:
    """Returns the shares of the resamples below the ends of a BCa interval.

    Args:
      values: The statistic of the resamples, finite.
      estimate: The statistic of all rows.
      left_out: The statistic without each patient; those that are not finite are left out.
      shares: The shares of a percentile interval.
    """
    below = ((values < estimate).mean() + (values <= estimate).mean()) / 2
    least = 1 / (2 * len(values))  # an estimate beyond all resamples: as far as they can tell
    bias = special.ndtri(np.clip(below, least, 1 - least))
    left_out = left_out[np.isfinite(left_out)]
    apart = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    squares = (apart**2).sum()
    acceleration = (apart**3).sum() / (6 * squares**1.5) if squares > 0 else 0.0
    z = bias + special.ndtri(shares)
    return special.ndtr(bias + z / (1 - acceleration * z))


def of_rows(statistic: Callable[[np.ndarray], float]) -> Statistic:
    """Returns a function of row indices as a function of weights: a row is there `weight` times.

    Args:
      statistic: Function of row indices [m], which may repeat, to a number.
    """

    def weighted(weights: np.ndarray) -> np.ndarray:
        rows = np.arange(len(weights))
        return np.array([statistic(np.repeat(rows, w.astype(np.int64))) for w in weights.T])

    return weighted


def mean_of(values: Float[np.ndarray, " n"]) -> Statistic:
    """Returns the weighted mean of one value per row, [n]: accuracy, a loss, prediction similarity.

    Rows whose value is NaN do not count.
    """
    counted = np.isfinite(values)
    kept = np.where(counted, values, 0.0)

    def weighted(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return (kept @ weights) / (counted.astype(np.float64) @ weights)

    return weighted
