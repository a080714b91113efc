import math

import numpy as np
import pytest
from scipy import stats

from transfer_jax.stats.intervals import LEVEL, Interval, Spread

VALUES = [0.1, 0.5, 0.2, 0.9]


def test_against_scipy():
    interval = stats.ttest_1samp(VALUES, 0).confidence_interval(LEVEL)
    mean, half, number = Interval.of(VALUES)
    assert (mean - half, mean + half, number) == pytest.approx((*interval, 4))
    assert Spread.of(VALUES) == pytest.approx((np.mean(VALUES), np.std(VALUES, ddof=1)))


@pytest.mark.parametrize("kind", [Spread, Interval])
def test_only_finite_values_count(kind):
    assert kind.of([*VALUES, math.nan, math.inf]) == kind.of(VALUES)
    assert kind.of([math.nan, 0.5])[0] == 0.5 and math.isnan(kind.of([math.nan, 0.5])[1])
    assert math.isnan(kind.of([])[0])


def test_whether_zero_lies_outside():
    assert Interval(0.3, 0.2, 3).clear and Interval(-0.3, 0.2, 3).clear
    assert not Interval(0.1, 0.2, 3).clear
    assert not Interval(0.1, math.nan, 1).clear
