"""Arms against the first arm, repeat by repeat: paired differences with confidence intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from scipy import stats

from transfer_jax.settings import Study

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean with its confidence interval, by Student's t; NaN where there are too few values.

    Attributes:
      mean: of the values.
      half: half of the interval's width.
      number: of the values.
    """

    mean: float
    half: float
    number: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Interval:
        """Returns the interval of the values that are finite; `number` says how many they are."""
        values = [value for value in values if math.isfinite(value)]
        mean = statistics.fmean(values) if values else math.nan
        if len(values) < 2:
            return cls(mean, math.nan, len(values))
        half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
        return cls(mean, half, len(values))

    @property
    def clear(self) -> bool:
        """Whether zero lies outside."""
        return abs(self.mean) > self.half


class Difference(NamedTuple):
    """An arm minus the first arm, over the repeats.

    Attributes:
      arm: its name.
      auc: of the final AUC.
      steps: of the steps to the threshold, over the repeats in which both arms reached it.
    """

    arm: str
    auc: Interval
    steps: Interval


def differences(study: Study, rows: Sequence[dict[str, Any]]) -> list[Difference]:
    """Every arm but the first against the first, paired by repeat: both saw the same batches from the same first weights."""
    first = [row for row in rows if row["arm"] == study.arms[0].name]
    made = []
    for arm in study.arms[1:]:
        pairs = list(zip([row for row in rows if row["arm"] == arm.name], first, strict=True))
        reached = [(a["steps_to_threshold"], b["steps_to_threshold"]) for a, b in pairs]
        made.append(
            Difference(
                arm.name,
                Interval.of(a["final_auc"] - b["final_auc"] for a, b in pairs),
                Interval.of(a - b for a, b in reached if a is not None and b is not None),
            )
        )
    return made
