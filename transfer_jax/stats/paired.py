"""Differences between two arms that share repeats, or share repeats and images.

Over repeats alone (`over_repeats`): would the difference come out again with other fresh weights,
batches and folds? Over patients (`auc_difference`, `difference`): would these trained networks
differ on other patients? Each interval holds one of the two still, so a report shows both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import bootstrap, weighted_auc
from transfer_jax.stats.bootstrap import Bootstrapped, Statistic
from transfer_jax.stats.intervals import Interval


def over_repeats(a: Iterable[float], b: Iterable[float]) -> Interval:
    """Computes the mean difference a - b over repeats with its interval by Student's t.

    Repeats of which either value is not finite are left out; `number` says how many are left.

    Args:
      a: One value per repeat of the first arm.
      b: One value per repeat of the second arm, in the same order.

    Raises:
      AnalysisError: The arms have different numbers of repeats.
    """
    a, b = list(a), list(b)
    if len(a) != len(b):
        raise AnalysisError(f"{len(a)} and {len(b)} repeats cannot be paired")
    return Interval.of(x - y for x, y in zip(a, b, strict=True))


def difference(a: Sequence[Statistic], b: Sequence[Statistic]) -> Statistic:
    """Returns the mean over repeats of the difference a - b as a function of the weights of the
    images.

    All repeats of both arms see the same resample. A resample that does not define one of them does
    not define their difference.

    Args:
      a: Per repeat, a statistic of the first arm.
      b: Per repeat, the same of the second arm.

    Raises:
      AnalysisError: There are no repeats, or the arms have different numbers of them.
    """
    if not a or len(a) != len(b):
        raise AnalysisError(f"{len(a)} and {len(b)} repeats cannot be paired")
    pairs = list(zip(a, b, strict=True))

    def weighted(weights: np.ndarray) -> np.ndarray:
        return np.mean([one(weights) - other(weights) for one, other in pairs], axis=0)

    return weighted


def auc_difference(
    a: Float[np.ndarray, "_ n"],
    b: Float[np.ndarray, "_ n"],
    targets: Num[np.ndarray, " n"] | Bool[np.ndarray, " n"],
    patients: Shaped[np.ndarray, " n"],
    *,
    counted: Bool[np.ndarray, " n"] | Bool[np.ndarray, "_ n"] | None = None,
    **options: Any,
) -> Bootstrapped:
    """Computes the mean over repeats of the difference of AUCs, with its interval over patients.

    Args:
      a: Scores of the first arm, one row per repeat.
      b: Scores of the second arm on the same images.
      targets: Targets, [n]; above 0.5 is positive.
      patients: Patient of every image, [n].
      counted: False for images that do not count: in all repeats [n], or per repeat [r, n], as in
        folds, where a repeat is judged by some of the images; all count where None.
      **options: Options of `bootstrap.interval`.

    Raises:
      AnalysisError: The lengths differ, a score that counts is NaN, or an option is out of its
        range.
    """
    if counted is None or counted.ndim == 1:
        per_repeat = [counted] * len(a)
    else:
        per_repeat = list(counted)
    if not len(a) == len(b) == len(per_repeat):
        raise AnalysisError(
            f"{len(a)} and {len(b)} repeats, and {len(per_repeat)} rows of `counted`, cannot be "
            "paired"
        )
    of_a, of_b = (
        [
            weighted_auc.statistic(scores, targets, images)
            for scores, images in zip(arm, per_repeat, strict=True)
        ]
        for arm in (a, b)
    )
    return bootstrap.interval(difference(of_a, of_b), patients, **options)


def in_words(estimate: float, low: float, high: float, reason: str = "", digits: int = 3) -> str:
    """Describes a difference: "higher by 0.021 [0.008, 0.034]", "lower by ...", or "no difference
    seen (0.004 [-0.010, 0.018])" where the interval holds zero.

    Args:
      estimate: The difference.
      low: Lower end of its interval.
      high: Upper end of its interval.
      reason: Why there is no interval, if there is none.
      digits: Number of decimals.
    """

    def number(value: float) -> str:
        return f"{value + 0:.{digits}f}"  # plus zero: never "-0.000" for a zero

    if not (math.isfinite(low) and math.isfinite(high)):
        seen = f"{number(estimate)}, " if math.isfinite(estimate) else ""
        return f"not known ({seen}{reason or 'too few values'})"
    if low <= 0 <= high:
        return f"no difference seen ({number(estimate)} [{number(low)}, {number(high)}])"
    if estimate > 0:
        return f"higher by {number(estimate)} [{number(low)}, {number(high)}]"
    return f"lower by {number(-estimate)} [{number(-high)}, {number(-low)}]"
