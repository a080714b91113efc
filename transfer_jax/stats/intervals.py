"""Means over repeats with their spread or their confidence interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import NamedTuple

from scipy import stats

LEVEL = 0.95


class Spread(NamedTuple):
    """Mean and sample standard deviation over repeats; NaN where there are too few.

    Attributes:
      mean: Mean of the finite values.
      std: Their sample standard deviation.
    """

    mean: float
    std: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Returns the spread of the values that are finite; callers say how many are not."""
        finite = [value for value in values if math.isfinite(value)]
        mean = statistics.fmean(finite) if finite else math.nan
        return cls(mean, statistics.stdev(finite) if len(finite) > 1 else math.nan)


class Interval(NamedTuple):
    """A mean with its confidence interval by Student's t; NaN where there are too few values.

    Attributes:
      mean: Mean of the values.
      half: Half of the width of the interval at the level `LEVEL`.
      number: Number of values.
    """

    mean: float
    half: float
    number: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Interval:
        """Returns the interval of the values that are finite; `number` says how many they are."""
        finite = [value for value in values if math.isfinite(value)]
        mean = statistics.fmean(finite) if finite else math.nan
        if len(finite) < 2:
            return cls(mean, math.nan, len(finite))
        quantile = float(stats.t.ppf((1 + LEVEL) / 2, len(finite) - 1))
        half = quantile * statistics.stdev(finite) / math.sqrt(len(finite))
        return cls(mean, half, len(finite))

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half

    @property
    def p(self) -> float:
        """Two-sided p-value of a mean of zero by Student's t; NaN where there is no interval."""
        if self.number < 2 or not self.half > 0:
            return math.nan
        quantile = float(stats.t.ppf((1 + LEVEL) / 2, self.number - 1))
        return float(2 * stats.t.sf(abs(self.mean) / self.half * quantile, self.number - 1))

    @property
    def clear(self) -> bool:
        """Whether zero lies outside of the interval."""
        return abs(self.mean) > self.half
