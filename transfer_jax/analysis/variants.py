"""SVCCA and PWCCA: canonical correlations of the directions that matter to a network, from moments.

Source: Raghu et al., "SVCCA", NeurIPS 2017; Morcos, Raghu, Bengio, "Insights on representational
similarity", NeurIPS 2018.
"""

import math
from collections.abc import Iterable

import jax
import numpy as np

from transfer_jax.analysis import cca, chance, result, whitening
from transfer_jax.analysis.moments import ActivationMoments, Moments, Pair
from transfer_jax.analysis.result import Mean
from transfer_jax.core.errors import AnalysisError

KEEP = 0.99
_NAMES = ("x", "y")


def svcca(
    state: Moments, keep: float = KEEP, threshold: float = 0.98, *, names: tuple[str, str] = _NAMES
) -> result.CCA:
    """Computes the canonical correlations of the directions of largest variance.

    Args:
      state: Moments of one pair, from `cca.moments` and `cca.update`.
      keep: Share of the variance (squared singular values) that is kept of each side, in (0, 1).
        The tutorial of google/svcca sums singular values instead; the paper says variance.
      threshold: See `cca.finish`.
      names: Names of the sides, for messages.

    Returns:
      See `cca.finish`; the ranks are the numbers of directions that are kept.

    Raises:
      AnalysisError: See `cca.finish`, and for `keep` out of its range.
    """
    (pair,) = state.cross
    return svcca_many([state], keep, threshold, names={pair: names})[0][pair]


def svcca_many(
    states: Iterable[Moments],
    keep: float = KEEP,
    threshold: float = 0.98,
    *,
    names: cca.Names | None = None,
) -> list[dict[Pair, result.CCA]]:
    """Computes `svcca` of every pair of every state; a stage is whitened once per state."""
    if not 0 < keep < 1:
        raise AnalysisError(
            f"keep={keep}: choose a share of the variance between 0 and 1, e.g. 0.99"
        )
    results = []
    for state in _on_host(states, names):
        x, y = _sides(state, keep)
        of_state = {}
        for (a, b), cross in state.cross.items():
            values = whitening.coefficients(np, x[a], y[b], cross.value())
            ranks, lost = (x[a].rank, y[b].rank), (x[a].lost, y[b].lost)
            leading = result.summary(state, values, ranks, lost, threshold)
            of_state[a, b] = result.caution(leading, (names or {}).get((a, b), (a, b)))
        results.append(of_state)
    return results


def pwcca(x: cca.Rows, y: cca.Rows, *, names: tuple[str, str] = _NAMES) -> float:
    """Computes `pwcca_from_moments` of x [n, d1] and y [n, d2]; for errors see `cca.moments_of`."""
    return pwcca_from_moments(cca.moments_of(x, y, names=names), names=names)


def pwcca_from_moments(state: Moments, *, names: tuple[str, str] = _NAMES) -> float:
    """Computes the mean canonical correlation, weighted by the share of the activations per
    direction.

    The weight of direction h_i (a unit vector of n positions) is the sum over channels j of |<h_i,
    x_j>|. The inner products run over positions, so they are entries of the covariance times the
    direction: no second pass is needed. The directions contain the inverse square root of the
    covariance, as in the paper; google/svcca leaves it out and takes x without centring it.

    Args:
      state: Moments of one pair.
      names: Names of the sides, for messages.

    Returns:
      A value in [0, 1], by the directions of the side of lower rank (the first where they are
      equal); 0 where a side has rank 0.

    Raises:
      AnalysisError: See `cca.finish`.
    """
    (pair,) = state.cross
    return pwcca_many([state], names={pair: names})[0][pair].mean


def pwcca_many(
    states: Iterable[Moments], *, names: cca.Names | None = None
) -> list[dict[Pair, Mean]]:
    """Computes `pwcca_from_moments` of every pair of every state.

    A stage is whitened once per state. Of independent data the directions are independent of the
    coefficients, so that the level by chance is that of the plain mean.
    """
    results = []
    for state in _on_host(states, names):
        x, y = _sides(state, None)
        of_state = {}
        for (a, b), cross in state.cross.items():
            value = _weighted((state.x[a], state.y[b]), (x[a], y[b]), cross.value())
            n, ranks = state.positions(), (int(x[a].rank), int(y[b].rank))
            level = chance.mean_coefficient(n, *ranks)
            of_state[a, b] = Mean(value, math.nan, level, n, *ranks)
        results.append(of_state)
    return results


def _weighted(
    activations: tuple[ActivationMoments, ActivationMoments],
    sides: tuple[whitening.Side, whitening.Side],
    cross: np.ndarray,
) -> float:
    u, values, vt = np.linalg.svd(whitening.matrix(np, *sides, cross), full_matrices=False)
    weighted_side = 0 if sides[0].rank <= sides[1].rank else 1
    count = int(min(sides[0].rank, sides[1].rank))
    directions = sides[weighted_side].directions @ (u if weighted_side == 0 else vt.T)[:, :count]
    weights = np.abs(activations[weighted_side].products.value() @ directions).sum(0)
    return float(np.clip(values[:count], 0, 1) @ weights / weights.sum()) if count else 0.0


def _on_host(states: Iterable[Moments], names: cca.Names | None) -> list[Moments]:
    """Returns the checked moments on the host, the channels of a stage in one unit."""
    checked = jax.device_get(result.check(states, names))
    return [result.in_common_units(state) for state in checked]


def _sides(
    state: Moments, keep: float | None
) -> tuple[dict[str, whitening.Side], dict[str, whitening.Side]]:
    """Returns both networks' stages whitened; only the leading directions where `keep` says so."""

    def whitened(activation: ActivationMoments) -> whitening.Side:
        side = result.whiten(state, activation, 0.0, None, False)
        if keep is None or not side.rank:  # a side without variance keeps nothing
            return side
        return whitening.leading(np, activation.products.value(), share=keep, lost=side.lost)

    x, y = (
        {name: whitened(activation) for name, activation in of.items()} for of in (state.x, state.y)
    )
    return x, y
