"""The largest gap between groups of images or patients, with its interval over patients.

The largest of several noisy differences is too large on average, and positive even where groups
are equal, so that a percentile interval of it lies too high. Here a true gap is in the interval
where the gap that is seen would not be rare: the groups' values are moved as little as makes their
gap the assumed one, and the deviations of the resamples are added to them. An end of the interval
is where a gap at least as large, or at most as large, as the one that is seen gets rarer than
2.5 %. Where all groups are equal, nothing lies below zero to be missed, and the interval holds zero
in 97.5 % of cases.

Source: Chuang and Lai, "Hybrid resampling methods for confidence intervals", Statistica Sinica 2000
(test inversion by resampling at the likeliest values of the other parameters).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import bootstrap, weighted_auc
from transfer_jax.stats.bootstrap import RESAMPLES, Statistic
from transfer_jax.stats.intervals import LEVEL

_HALVINGS = 18  # of an interval, in a bisection: to 4 millionths of it
LEAST = 10  # images of either class in a group whose AUC is judged


class Gap(NamedTuple):
    """The largest difference between two groups.

    Attributes:
      estimate: The largest difference that is seen, not negative: on average larger than the true
        one.
      low: Lower end of the interval of the true one, not negative; NaN where there is none.
      high: Upper end of the interval; NaN where there is none.
      highest: Group of the highest value; "" where fewer than two groups are judged.
      lowest: Group of the lowest value; "" where fewer than two groups are judged.
      values: Group -> its value, of the groups that are judged.
      sizes: Group -> number of its images, of the groups that are judged.
      too_small: Group -> number of its images, of the groups that are too small to be judged.
      resamples: Number of resamples in use: those that define the values of all groups.
      reason: Why there is no interval; "" where there is one.
    """

    estimate: float
    low: float
    high: float
    highest: str
    lowest: str
    values: dict[str, float]
    sizes: dict[str, int]
    too_small: dict[str, int]
    resamples: int
    reason: str = ""


def auc_gap(
    scores: Float[np.ndarray, " n"],
    targets: Num[np.ndarray, " _"] | Bool[np.ndarray, " _"],
    groups: Shaped[np.ndarray, " _"],
    patients: Shaped[np.ndarray, " _"],
    *,
    counted: Bool[np.ndarray, " n"] | None = None,
    least: int = LEAST,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Gap:
    """Computes the largest difference between the AUCs of two groups.

    Args:
      scores: Scores, [n].
      targets: Targets, [n]; above 0.5 is positive.
      groups: Group of every image, [n], as text or a number; "" where it is not known, which
        counts to no group.
      patients: Patient of every image, [n].
      counted: False for images that do not count, [n]; all count where None.
      least: Number of positives, and of negatives, that a group must have to be judged; at least 1.
      resamples: See `bootstrap.interval`.
      seed: See `bootstrap.interval`.
      level: See `bootstrap.interval`.

    Raises:
      AnalysisError: The lengths differ, a score that counts is NaN, or an option is out of its
        range.
    """
    if least < 1:
        raise AnalysisError(f"least={least} must be positive")
    names = np.asarray(groups).astype(str)
    weighted_auc.check_lengths(scores=scores, groups=names, patients=patients)
    valid = np.ones(len(names), bool) if counted is None else counted
    statistics: dict[str, Statistic] = {}
    sizes: dict[str, int] = {}
    too_small: dict[str, int] = {}
    for name in sorted(set(names[valid]) - {""}):
        members = valid & (names == name)
        classes = weighted_auc.split(scores, targets, members)
        if min(map(len, classes)) < least:
            too_small[str(name)] = int(members.sum())
            continue
        sizes[str(name)] = int(members.sum())
        statistics[str(name)] = weighted_auc.statistic(scores, targets, members)
    return largest_gap(
        statistics, patients, sizes, too_small, resamples=resamples, seed=seed, level=level
    )


def largest_gap(
    statistics: Mapping[str, Statistic],
    patients: Shaped[np.ndarray, " n"],
    sizes: Mapping[str, int],
    too_small: Mapping[str, int],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Gap:
    """Computes the largest difference between the values of two groups.

    Args:
      statistics: Group -> its value as a function of the weights of all rows, for the groups to
        judge.
      patients: Patient of every row, [n].
      sizes: Group -> number of its images, of the groups to judge.
      too_small: The same of groups that are too small, which are reported and not judged.
      resamples: See `bootstrap.interval`.
      seed: See `bootstrap.interval`.
      level: See `bootstrap.interval`.

    Raises:
      AnalysisError: An option is out of its range.
    """
    numbers, _ = bootstrap.number_patients(patients)
    ones = np.ones((len(numbers), 1))
    values = {name: float(of_group(ones)[0]) for name, of_group in statistics.items()}
    groups: dict[str, Any] = {"values": values, "sizes": dict(sizes), "too_small": dict(too_small)}
    finite = all(math.isfinite(value) for value in values.values())
    if len(values) < 2 or not finite:
        reason = "a group does not define it" if not finite else "fewer than two groups are judged"
        nan = math.nan
        return Gap(nan, nan, nan, highest="", lowest="", resamples=0, reason=reason, **groups)
    highest, lowest = max(values, key=values.__getitem__), min(values, key=values.__getitem__)

    def together(weights: np.ndarray) -> np.ndarray:
        return np.stack([of_group(weights) for of_group in statistics.values()])

    drawn = bootstrap.resampled(together, patients, resamples=resamples, seed=seed, level=level)
    drawn = drawn[:, np.isfinite(drawn).all(0)]
    low, high, reason = math.nan, math.nan, bootstrap.problem(np.ptp(drawn, axis=0), resamples)
    if not reason:
        low, high = _ends(np.array(list(values.values())), drawn, (1 - level) / 2)
    return Gap(
        values[highest] - values[lowest],
        low,
        high,
        highest=highest,
        lowest=lowest,
        resamples=drawn.shape[1],
        reason=reason,
        **groups,
    )


def _ends(
    values: Float[np.ndarray, " k"], drawn: Float[np.ndarray, "k r"], alpha: float
) -> tuple[float, float]:
    """Returns the gaps below and above which the one that is seen is rarer than alpha.

    Args:
      values: The groups' values.
      drawn: Those of the resamples.
      alpha: Share that each end misses.
    """
    noise, variances = drawn - values[:, None], drawn.var(axis=1, ddof=1)
    seen = float(np.ptp(values))

    def gaps(true: float) -> Float[np.ndarray, " r"]:
        return np.ptp(_nearest(values, variances, true)[:, None] + noise, axis=0)

    def first(holds: Callable[[float], bool], low: float, high: float) -> float:
        """Returns where a condition begins to hold, by bisection."""
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high

    low = first(lambda true: bool((gaps(true) >= seen).mean() >= alpha), 0.0, seen)
    most = seen + 2 * float(np.ptp(noise, axis=0).max())
    high = first(lambda true: bool((gaps(true) <= seen).mean() < alpha), 0.0, most)
    return (0.0 if (gaps(0.0) >= seen).mean() >= alpha else low), high


def _nearest(
    values: Float[np.ndarray, " k"], variances: Float[np.ndarray, " k"], gap: float
) -> Float[np.ndarray, " k"]:
    """Returns the likeliest true values whose range is `gap`, of independent normal estimates."""
    weights = 1 / np.maximum(variances, np.finfo(float).tiny)
    if gap <= np.ptp(values):
        # Groups outside of an interval of this length move to its ends; it lies where the forces
        # at its ends are equal. Their sum is linear between the places where a group meets an end.
        ends = np.sort(np.concatenate([values - gap, values]))[::-1]
        moved = np.clip(values, ends[:, None], ends[:, None] + gap)
        at = np.interp(0.0, (values - moved) @ weights, ends)
        return np.clip(values, at, at + gap)
    pairs = list(itertools.permutations(range(len(values)), 2))
    apart = [gap - (values[i] - values[j]) for i, j in pairs]
    costs = [
        by**2 / max(variances[i] + variances[j], np.finfo(float).tiny)
        for by, (i, j) in zip(apart, pairs, strict=True)
    ]
    best = int(np.argmin(costs))
    (i, j), by = pairs[best], apart[best]
    moved = values.copy()
    share = variances[i] / max(variances[i] + variances[j], np.finfo(float).tiny)
    moved[i], moved[j] = values[i] + by * share, values[j] - by * (1 - share)
    return np.clip(moved, moved[j], moved[i])
