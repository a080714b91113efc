"""The result of a comparison, and what must hold before it is made."""

import dataclasses
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from transfer_jax.analysis import chance, units, whitening
from transfer_jax.analysis.arithmetic import Total
from transfer_jax.analysis.moments import ActivationMoments, Moments, Pair
from transfer_jax.core.errors import AnalysisError


@dataclasses.dataclass(frozen=True)
class CCA:
    """The canonical correlations of two activations.

    Attributes:
      coefficients: Canonical correlations [min(d1, d2)], descending, in [0, 1]; zeros beyond the
        lower of the ranks.
      rank_x: Number of linearly independent channels of the first side. Dead channels and copies
        do not count, nor do directions that hold less of the variance than `rcond`, which float32
        cannot tell from rounding. A rank far below the number of channels means that few
        directions hold nearly all variance: an outlier among the positions does that, and the
        similarity is then that of the outlier.
      rank_y: Number of linearly independent channels of the second side.
      n: Number of positions.
      mean: Mean of the min(rank_x, rank_y) coefficients that can differ from zero. google/svcca
        has as many coefficients, except that it counts dead channels at epsilon 0.
      mean_trimmed: Mean of the first coefficients, as few as sum to `threshold` of the sum of all:
        google/svcca's `mean`.
      chance: `mean` of independent Gaussian data of this size: a value near it says nothing.
      lost_x: Number of channels of the first side that vary, but by no more than their values are
        rounded. They count as dead, and the result may be too low.
      lost_y: Number of such channels of the second side.
    """

    coefficients: Float[np.ndarray, " k"]
    rank_x: int
    rank_y: int
    n: int
    mean: float
    mean_trimmed: float
    chance: float
    lost_x: int = 0
    lost_y: int = 0

    @property
    def caution(self) -> str:
        """Why the result is unreliable, in one sentence; empty where it is reliable."""
        if not self.lost_x + self.lost_y:
            return ""
        return (
            f"{self.lost_x} and {self.lost_y} channels of the two sides vary by no more than the"
            " rounding of their values and are left out, so that the similarity may be too low:"
            " subtract the means of activations in float64 before they become float32"
        )


class Mean(NamedTuple):
    """A similarity as numbers, by any measure; averaged over the draws of a sampled comparison.

    Attributes:
      mean: The similarity, in [0, 1]: by CCA and SVCCA the mean of the canonical correlations.
      mean_trimmed: See `CCA`; NaN for measures that are no mean of coefficients (PWCCA, CKA).
      chance: The similarity that independent data of this size would have on average.
      n: Number of positions; of several draws that of the first.
      rank_x: Number of dimensions of the first side that the measure used: linearly independent
        channels (CCA, PWCCA), directions that are kept (SVCCA), or channels that vary (CKA); of
        several draws the lowest.
      rank_y: The same of the second side.
    """

    mean: float
    mean_trimmed: float
    chance: float
    n: int
    rank_x: int
    rank_y: int


def default_rcond(state: Moments, d: int) -> float:
    """Returns the share of the largest eigenvalue below which one may be rounding alone.

    The eigenvalues are those of a correlation matrix of d channels. The share is some 50 times what
    copies of channels leave in float32.
    """
    return 4 * math.sqrt(d) * float(np.finfo(state.n.high.dtype).eps)


def whiten(
    state: Moments, activation: ActivationMoments, epsilon: float, rcond: float | None, device: bool
) -> whitening.Side:
    """Whitens one side of a comparison.

    Args:
      state: The moments.
      activation: The moments of the side; from `in_common_units` unless `device`.
      epsilon: See `cca.finish`.
      rcond: See `cca.finish`.
      device: See `cca.finish`.
    """
    rcond = default_rcond(state, len(activation.mean.high)) if rcond is None else float(rcond)
    options = {"epsilon": float(epsilon), "rcond": rcond}
    if device:
        return whitening.side_on_device(
            state.n.high,
            activation.products.high,
            activation.rounding,
            activation.exponent,
            **options,
        )
    return whitening.side(
        np,
        state.positions(),
        activation.products.value(),
        activation.rounding,
        np.ones(len(activation.rounding)),
        **options,
    )


def in_common_units(state: Moments) -> Moments:
    """Returns moments from the host in float64, all channels of a stage in one unit.

    What compares channels with one another needs it: epsilon, SVCCA, PWCCA and CKA.
    """
    factors = [
        {name: units.relative(np.asarray(activation.exponent)) for name, activation in side.items()}
        for side in (state.x, state.y)
    ]

    def scaled(total: Total, by: Float[np.ndarray, "*s"]) -> Total:
        value = total.value() * by
        return Total(value, np.zeros_like(value))

    def side(
        owns: dict[str, ActivationMoments], by: dict[str, np.ndarray]
    ) -> dict[str, ActivationMoments]:
        return {
            name: ActivationMoments(
                scaled(activation.mean, by[name]),
                scaled(activation.products, np.outer(by[name], by[name])),
                np.zeros(len(by[name]), np.int32),
                np.asarray(activation.rounding, np.float64) * by[name],
            )
            for name, activation in owns.items()
        }

    x, y = factors
    cross = {(a, b): scaled(total, np.outer(x[a], y[b])) for (a, b), total in state.cross.items()}
    return Moments(state.n, side(state.x, x), side(state.y, y), cross)


@jax.jit
def _bad(mean: Array, products: Array) -> Array:
    return ~(jnp.isfinite(mean) & jnp.isfinite(jnp.diagonal(products)))


def check(
    states: Iterable[Moments], names: Mapping[Pair, tuple[str, str]] | None = None
) -> list[Moments]:
    """Returns the moments with their position counts on the host, if all pairs can be compared.

    It waits for the device once and fetches no product.

    Raises:
      AnalysisError: There are too few positions (both sides are named), or one holds NaN or
        infinity (it is named); of several pairs the first of `names`.
    """
    names, states = names or {}, list(states)
    found = jax.device_get(
        [
            (
                of.n,
                [
                    {
                        name: _bad(activation.mean.high, activation.products.high)
                        for name, activation in side.items()
                    }
                    for side in (of.x, of.y)
                ],
            )
            for of in states
        ]
    )
    states = [of._replace(n=n) for of, (n, _) in zip(states, found, strict=True)]
    order = {pair: place for place, pair in enumerate(names)}
    every = [
        (pair, of, sides) for of, (_, sides) in zip(states, found, strict=True) for pair in of.cross
    ]
    every.sort(
        key=lambda one: order.get(one[0], len(order))
    )  # NaN spreads from a stage to all later ones: the first is to be named
    for pair, of, _ in every:
        check_positions(
            of.positions(),
            len(of.x[pair[0]].mean.high),
            len(of.y[pair[1]].mean.high),
            names.get(pair, pair),
        )
    for pair, _, sides in every:
        for name, stage, side in zip(names.get(pair, pair), pair, sides, strict=True):
            bad = np.flatnonzero(side[stage])
            if len(bad):
                channels = f"{len(bad)} of {len(side[stage])} channels"
                raise AnalysisError(
                    f"{name}: {channels} hold NaN, infinity or values too large for their type,"
                    f" first channel {bad[0]}"
                )
    return states


def check_positions(n: int, d1: int, d2: int, names: tuple[str, str], hint: str = "") -> None:
    """Raises AnalysisError where there are too few positions; `hint` ends its message."""
    d = max(d1, d2)
    if n <= d:
        raise AnalysisError(
            f"{names[0]} and {names[1]}: {n} positions of {d1} and {d2} channels. A comparison"
            f" needs more than {d} (with so few, CCA finds coefficients of 1 in noise, and other"
            f" measures are high, too): give at least {10 * d} by more images, or sample fewer"
            f" channels{hint}"
        )


def trimmed_mean(values: Float[np.ndarray, " k"], threshold: float) -> float:
    """Returns the mean of the first values, fewest (at least one) that sum to `threshold`
    of all.
    """
    if not values.sum() > 0:
        return 0.0
    enough = np.flatnonzero(np.cumsum(values) / values.sum() >= threshold)
    return float(values[: enough[0] + 1 if len(enough) else None].mean())


def summary(
    state: Moments, values: Any, ranks: Sequence[Any], lost: Sequence[Any], threshold: float
) -> CCA:
    """Returns the result that belongs to coefficients, ranks and numbers of lost channels."""
    rank_x, rank_y, found = int(ranks[0]), int(ranks[1]), np.asarray(values, np.float64)
    used = found[: min(rank_x, rank_y)]
    n = state.positions()
    mean = float(used.mean()) if len(used) else 0.0
    level = chance.mean_coefficient(n, rank_x, rank_y)
    return CCA(
        found,
        rank_x,
        rank_y,
        n,
        mean,
        trimmed_mean(used, threshold),
        level,
        int(lost[0]),
        int(lost[1]),
    )


def caution(result: CCA, names: tuple[str, str]) -> CCA:
    """Returns the result, after a warning where it is unreliable."""
    if result.caution:
        logging.warning("%s and %s: %s", *names, result.caution)
    return result
