"""What a comparison gives, and what has to hold before it is made."""

import dataclasses
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from transfer_jax.analysis import chance, moments, whitening
from transfer_jax.analysis.moments import Moments, Own, Pair
from transfer_jax.analysis.rows import check_positions
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
      unresolved_x: Channels of the first side that vary by less than four roundings of their mean, in
        the numbers that they came in. They count as dead: what they hold is lost; give float64, or
        activations without so large a mean.
      unresolved_y: Channels of the second side.
    """

    coefficients: Float[np.ndarray, " k"]
    rank_x: int
    rank_y: int
    n: int
    mean: float
    mean_trimmed: float
    chance: float
    unresolved_x: int = 0
    unresolved_y: int = 0


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
    }
    rounding = moments.ROUNDINGS * own.frame.resolution
    if device:
        return whitening.side_on_device(state.n.high, rounding * own.place, own.products.high, **options)
    place = own.frame.origin.value() + own.mean.value()
    return whitening.side(np, state.positions(), rounding * place, own.products.value(), **options)


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


def trimmed_mean(values: Float[np.ndarray, " k"], threshold: float) -> float:
    """Mean of the first values, fewest (at least one) that sum to `threshold` of all; of all where no fewer do."""
    if not values.sum() > 0:
        return 0.0
    enough = np.flatnonzero(np.cumsum(values) / values.sum() >= threshold)
    return float(values[: enough[0] + 1 if len(enough) else None].mean())


def summary(
    state: Moments,
    values: Any,
    ranks: Sequence[Any],
    threshold: float,
    unresolved: Sequence[Any] = (0, 0),
    names: tuple[str, str] = ("x", "y"),
) -> CCA:
    """Returns the result of coefficients and ranks; says so where channels were lost to rounding."""
    for name, count in zip(names, unresolved, strict=True):
        if int(count):
            logging.warning(
                "%s: %d channels vary by less than four roundings of their mean and count as dead: give "
                "float64, or activations without so large a mean",
                name,
                int(count),
            )
    rank_x, rank_y, found = int(ranks[0]), int(ranks[1]), np.asarray(values, np.float64)
    used = found[: min(rank_x, rank_y)]
    n = state.positions()
    mean = float(used.mean()) if len(used) else 0.0
    level = chance.mean_coefficient(n, rank_x, rank_y)
    lost = [int(count) for count in unresolved]
    return CCA(found, rank_x, rank_y, n, mean, trimmed_mean(used, threshold), level, *lost)
