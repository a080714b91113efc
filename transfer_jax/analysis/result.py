"""What a comparison gives, and what has to hold before it is made."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from transfer_jax.analysis import chance, whitening
from transfer_jax.analysis.moments import Moments, Own, Pair
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


def whiten(state: Moments, own: Own, epsilon: float, rcond: float | None, device: bool) -> whitening.Side:
    """One side of a comparison."""
    options = {
        "epsilon": float(epsilon),
        "rcond": default_rcond(state, len(own.mean.high)) if rcond is None else float(rcond),
        "rounding": float(np.finfo(state.n.high.dtype).eps),
    }
    if device:
        return whitening.side_on_device(state.n.high, own.mean.high, own.products.high, **options)
    return whitening.side(np, state.positions(), own.mean.value(), own.products.value(), **options)


@jax.jit
def _bad(mean: Array, products: Array) -> Array:
    return ~(jnp.isfinite(mean) & jnp.isfinite(jnp.diagonal(products)))


def check(states: Iterable[Moments], names: Mapping[Pair, tuple[str, str]] | None = None) -> list[Moments]:
    """The moments with their numbers of positions on the host, if all pairs can be compared. It waits for the device once and fetches no product.

    Raises:
      AnalysisError: there are too few positions (both sides are named), or one holds NaN or infinity (it is named); of several pairs the first
        of `names`.
    """
    names, states = names or {}, list(states)
    found = jax.device_get(
        [(of.n, [{name: _bad(own.mean.high, own.products.high) for name, own in side.items()} for side in (of.x, of.y)]) for of in states]
    )
    states = [of._replace(n=n) for of, (n, _) in zip(states, found, strict=True)]
    order = {pair: place for place, pair in enumerate(names)}
    every = [(pair, of, sides) for of, (_, sides) in zip(states, found, strict=True) for pair in of.cross]
    every.sort(key=lambda one: order.get(one[0], len(order)))  # NaN spreads from a stage to all later ones: the first is to be named
    for pair, of, _ in every:
        check_positions(of.positions(), len(of.x[pair[0]].mean.high), len(of.y[pair[1]].mean.high), names.get(pair, pair))
    for pair, _, sides in every:
        for name, stage, side in zip(names.get(pair, pair), pair, sides, strict=True):
            bad = np.flatnonzero(side[stage])
            if len(bad):
                channels = f"{len(bad)} of {len(side[stage])} channels"
                raise AnalysisError(f"{name}: {channels} hold NaN, infinity or values too large to square, first channel {bad[0]}")
    return states


def check_positions(n: int, d1: int, d2: int, names: tuple[str, str]) -> None:
    """Raises AnalysisError where there are too few positions."""
    d = max(d1, d2)
    if n <= d:
        raise AnalysisError(
            f"{names[0]} and {names[1]}: {n} positions of {d1} and {d2} channels. CCA needs more than {d} (with so few it finds "
            f"coefficients of 1 in noise): give at least {10 * d} by more images, or sample fewer channels"
        )


def trimmed_mean(values: Float[np.ndarray, " k"], threshold: float) -> float:
    """Mean of the first values, fewest (at least one) that sum to `threshold` of all; of all where no fewer do."""
    if not values.sum() > 0:
        return 0.0
    enough = np.flatnonzero(np.cumsum(values) / values.sum() >= threshold)
    return float(values[: enough[0] + 1 if len(enough) else None].mean())


def summary(state: Moments, values: Any, ranks: Sequence[Any], threshold: float) -> CCA:
    """The result that belongs to coefficients and ranks."""
    rank_x, rank_y, found = int(ranks[0]), int(ranks[1]), np.asarray(values, np.float64)
    used = found[: min(rank_x, rank_y)]
    n = state.positions()
    mean = float(used.mean()) if len(used) else 0.0
    return CCA(found, rank_x, rank_y, n, mean, trimmed_mean(used, threshold), chance.mean_coefficient(n, rank_x, rank_y))
