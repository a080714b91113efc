"""SVCCA and PWCCA: canonical correlations of the directions that matter to a network. Both need the moments alone.

Source: Raghu et al., "SVCCA", NeurIPS 2017; Morcos, Raghu, Bengio, "Insights on representational similarity", NeurIPS 2018.
"""

import jax
import numpy as np

from transfer_jax.analysis import cca, result, whitening
from transfer_jax.analysis.moments import Moments, Own
from transfer_jax.core.errors import AnalysisError

_NAMES = ("x", "y")


def svcca(state: Moments, keep: float = 0.99, threshold: float = 0.98, *, names: tuple[str, str] = _NAMES) -> result.CCA:
    """CCA of the directions of largest variance.

    Args:
      state: moments of one pair, from `cca.moments` and `cca.update`.
      keep: in (0, 1), the share of the variance (squared singular values) that is kept of each side. The tutorial of google/svcca sums singular
        values instead; the paper says variance.
      threshold: see `cca.finish`.
      names: of the sides, for messages.

    Returns:
      As `cca.finish`; the ranks are the directions kept.

    Raises:
      AnalysisError: as `cca.finish`, and for `keep` out of its range.
    """
    if not 0 < keep < 1:
        raise AnalysisError(f"keep={keep}: choose a share of the variance between 0 and 1, e.g. 0.99")
    state, sides = _sides(state, names, keep)
    (cross,) = state.cross.values()
    values = whitening.coefficients(np, *sides, cross.value())
    found = result.summary(state, values, [side.rank for side in sides], [side.lost for side in sides], threshold)
    return result.caution(found, names)


def pwcca(x: cca.Rows, y: cca.Rows, *, names: tuple[str, str] = _NAMES) -> float:
    """Computes `pwcca_from_moments` of x [n, d1] and y [n, d2]; errors as `cca.moments_of`."""
    return pwcca_from_moments(cca.moments_of(x, y, names=names), names=names)


def pwcca_from_moments(state: Moments, *, names: tuple[str, str] = _NAMES) -> float:
    """The canonical correlations, weighted by how much of the activations their directions account for.

    The weight of direction h_i (a unit vector of n positions) is the sum over channels j of |<h_i, x_j>|. The inner products run over positions,
    so they are entries of the covariance times the direction: no second pass is needed. The directions contain the inverse square root of the
    covariance, as in the paper; google/svcca leaves it out and takes x without centring it.

    Args:
      state: moments of one pair.
      names: of the sides, for messages.

    Returns:
      A value in [0, 1], by the directions of the side of lower rank (the first where they are equal); 0 where a side has rank 0.

    Raises:
      AnalysisError: as `cca.finish`.
    """
    state, sides = _sides(state, names)
    (cross,) = state.cross.values()
    u, values, vt = np.linalg.svd(whitening.matrix(np, *sides, cross.value()), full_matrices=False)
    chosen = 0 if sides[0].rank <= sides[1].rank else 1
    (own,) = (state.x, state.y)[chosen].values()
    count = int(min(sides[0].rank, sides[1].rank))
    directions = sides[chosen].directions @ (u if chosen == 0 else vt.T)[:, :count]
    weights = np.abs(own.products.value() @ directions).sum(0)
    return float(np.clip(values[:count], 0, 1) @ weights / weights.sum()) if count else 0.0


def _sides(state: Moments, names: tuple[str, str], keep: float | None = None) -> tuple[Moments, tuple[whitening.Side, whitening.Side]]:
    """Returns the moments on the host, all channels of a side in one unit, and both sides whitened."""
    (pair,) = state.cross
    state = result.in_common_units(jax.device_get(result.check([state], {pair: names})[0]))

    def whitened(own: Own) -> whitening.Side:
        side = result.whiten(state, own, 0.0, None, False)
        if keep is None or not side.rank:  # a side without variance keeps nothing
            return side
        return whitening.leading(np, own.products.value(), share=keep, lost=side.lost)

    (x,), (y,) = state.x.values(), state.y.values()
    return state, (whitened(x), whitened(y))
