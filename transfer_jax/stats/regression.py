"""A straight line through points, and how certain it is."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy import stats

from transfer_jax.core.errors import AnalysisError

LEAST = 3


@dataclasses.dataclass(frozen=True)
class Line:
    """A least-squares line.

    Attributes:
      slope: Slope of y over x.
      intercept: y at x = 0.
      r2: Share of the variance of y that the line explains, the squared correlation; NaN where y is
        constant.
      p: Two-sided p-value of a slope of zero.
      n: Number of points.
    """

    slope: float
    intercept: float
    r2: float
    p: float
    n: int
    _mean: float
    _squares: float
    _error: float

    def at(self, x: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Returns the values of the line at x."""
        return self.intercept + self.slope * x

    def half_band(self, x: Float[np.ndarray, " k"], level: float = 0.95) -> Float[np.ndarray, " k"]:
        """Returns half the width of the confidence band of the line (not of new points) at x, by
        Student's t.
        """
        quantile = float(stats.t.ppf((1 + level) / 2, self.n - 2))
        return quantile * self._error * np.sqrt(1 / self.n + (x - self._mean) ** 2 / self._squares)


def line(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Line:
    """Returns the least-squares line through n >= 3 points.

    Raises:
      AnalysisError: There are fewer points, points are not finite, or all have one x.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < LEAST or not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(x) == 0:
        raise AnalysisError(
            f"a line needs {LEAST} finite points or more, not all at one x; there are {len(x)}"
        )
    fit = stats.linregress(x, y)
    rest = y - fit.intercept - fit.slope * x
    error = float(np.sqrt((rest**2).sum() / (len(x) - 2)))
    r2 = float(fit.rvalue**2) if np.ptp(y) > 0 else float("nan")
    return Line(
        float(fit.slope),
        float(fit.intercept),
        r2,
        float(fit.pvalue),
        len(x),
        float(x.mean()),
        float(((x - x.mean()) ** 2).sum()),
        error,
    )
