"""What a comparison gives, and what has to hold before it is made."""

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Float

from transfer_jax.analysis import chance, whitening
from transfer_jax.analysis.moments import Moments, Own
from transfer_jax.core.errors import AnalysisError


@dataclasses.dataclass(frozen=True)
class CCA:
    """What was found.

    Attributes:
      coefficients: canonical correlations [min(d1, d2)], descending, in [0, 1]; zeros beyond the lower of the ranks.
      rank_x: linearly independent channels of the first side; dead channels and copies do not count.
      rank_y: of the second.
      n: positions.
      mean: of the min(rank_x, rank_y) coefficients that can differ from zero. google/svcca has as many coefficients, save that it counts
        dead channels at epsilon 0.
      mean_trimmed: of the first coefficients, fewest whose sum is `threshold` of the sum of all: google/svcca's `mean`.
      chance: `mean` of independent Gaussian data of this size: a value near it says nothing.
    """

    coefficients: Float[np.ndarray, " k"]
    rank_x: int
    rank_y: int
    n: int
    mean: float
    mean_trimmed: float
    chance: float


def default_rcond(state: Moments, d: int) -> float:
    """Below this share of the largest eigenvalue of a correlation matrix of d channels, an eigenvalue may be rounding alone.

    It is some 50 times what copies of channels leave in float32.
    """
    return 4 * math.sqrt(d) * float(np.finfo(state.n.high.dtype).eps)


def whiten(state: Moments, own: Own, name: str, epsilon: float, rcond: float | None, device: bool) -> whitening.Side:
    """One side of a comparison, checked. Raises AnalysisError for NaN and infinity, naming the side."""
    mean = own.mean.value()
    bad = np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(np.diagonal(own.products.value())))
    if len(bad):
        raise AnalysisError(f"{name}: {len(bad)} of {len(mean)} channels hold NaN, infinity or values too large to square, first channel {bad[0]}")
    options = {
        "epsilon": float(epsilon),
        "rcond": default_rcond(state, len(mean)) if rcond is None else float(rcond),
        "rounding": float(np.finfo(state.n.high.dtype).eps),
    }
    if device:
        return whitening.side_on_device(state.n.high, own.mean.high, own.products.high, **options)
    return whitening.side(np, state.positions(), mean, own.products.value(), **options)


def check(state: Moments, d1: int, d2: int, names: tuple[str, str]) -> None:
    """Raises AnalysisError where there are too few positions."""
    n, d = state.positions(), max(d1, d2)
    if n <= d:
        raise AnalysisError(
            f"{names[0]} and {names[1]}: {n} positions of {d1} and {d2} channels. CCA needs more than {d} (with so few it finds "
            f"coefficients of 1 in noise): give at least {10 * d}, or fewer channels"
        )


def trimmed_mean(values: Float[np.ndarray, " k"], threshold: float) -> float:
    """Mean of the first values, fewest (at least one) that sum to `threshold` of all; of all where no fewer do."""
    if not values.sum() > 0:
        return 0.0
    enough = np.flatnonzero(np.cumsum(values) / values.sum() >= threshold)
    return float(values[: enough[0] + 1 if len(enough) else None].mean())


def summary(state: Moments, values: Any, ranks: tuple[Any, Any], threshold: float) -> CCA:
    """The result that belongs to coefficients and ranks."""
    rank_x, rank_y, found = int(ranks[0]), int(ranks[1]), np.asarray(values, np.float64)
    used = found[: min(rank_x, rank_y)]
    n = state.positions()
    mean = float(used.mean()) if len(used) else 0.0
    return CCA(found, rank_x, rank_y, n, mean, trimmed_mean(used, threshold), chance.mean_coefficient(n, rank_x, rank_y))
