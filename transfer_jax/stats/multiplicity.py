"""P-values of several comparisons, adjusted so that false findings stay rare over all of them.

Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 1979.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from transfer_jax.core.errors import AnalysisError


def holm(p_values: Sequence[float] | Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Adjusts p-values by Holm's step-down procedure.

    Rejecting where the adjusted value is at most alpha makes one or more false rejections with a
    probability of at most alpha, whatever the dependence between the comparisons.

    Args:
      p_values: P-values in [0, 1], [k]; NaN for comparisons that could not be made.

    Returns:
      Adjusted p-values, [k], in the same order: the largest of (k - i) p(i) over all p-values up to
      this one, at most 1. NaN stays NaN and does not count as a comparison.

    Raises:
      AnalysisError: A p-value is outside of [0, 1].
    """
    values = np.asarray(p_values, np.float64)
    made = np.flatnonzero(~np.isnan(values))
    outside = [value for value in values[made] if not 0 <= value <= 1]
    if outside:
        raise AnalysisError(f"a p-value is in [0, 1], not {outside[0]:g}")
    order = made[np.argsort(values[made], kind="stable")]
    adjusted = np.full(len(values), np.nan)
    scaled = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted
