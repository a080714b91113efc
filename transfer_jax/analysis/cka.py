"""Linear centred kernel alignment (CKA): similarity that also asks how much variance a direction has, unlike CCA.

    cka.from_moments(state)             # biased, from the moments of `cca`: any number of positions, one pass
    cka.unbiased(x, y)                  # raw activations, O(n d) memory: independent data give 0 on average, for any d
    state = cka.update(cka.start(), x, y); cka.finish(state)   # unbiased, by minibatches

Source: Kornblith et al., "Similarity of neural network representations revisited", ICML 2019; the unbiased HSIC of Song et al., "Feature selection
via dependence maximization", JMLR 2012; its averages over minibatches of Nguyen, Raghu, Kornblith, ICLR 2021.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from transfer_jax.analysis.moments import Moments
from transfer_jax.analysis.totals import Total, plus
from transfer_jax.core.errors import AnalysisError

_LEAST = 4  # the unbiased estimator divides by n - 3


class Hsic(NamedTuple):
    """Sums over minibatches of the unbiased HSIC of the pair and of each side with itself."""

    xy: Total
    xx: Total
    yy: Total


def _ratio(xy: float, xx: float, yy: float, names: tuple[str, str]) -> float:
    for name, value in zip(names, (xx, yy), strict=True):
        if not math.isfinite(value):
            raise AnalysisError(f"{name}: the activations hold NaN, infinity or values too large to square")
    return xy / math.sqrt(xx * yy) if xx > 0 and yy > 0 else 0.0


def from_moments(state: Moments, *, names: tuple[str, str] = ("x", "y")) -> float:
    """Biased linear CKA, |Sxy|^2 / (|Sxx| |Syy|) in Frobenius norms.

    Args:
      state: moments of one pair, from `cca.moments` and `cca.update`.
      names: of the sides, for messages.

    Returns:
      A value in [0, 1]; 0 where a side has no variance. Independent data give more than 0, the more channels per position the more.

    Raises:
      AnalysisError: NaN or infinity, naming the side.
    """
    (x,), (y,), (cross,) = state.x.values(), state.y.values(), state.cross.values()
    norms = [float(np.linalg.norm(own.products.value())) for own in (x, y)]
    square = float(np.linalg.norm(cross.value())) ** 2
    return min(1.0, _ratio(square, norms[0] ** 2, norms[1] ** 2, names))


def _hsic(x: Float[Array, "n d1"], y: Float[Array, "n d2"]) -> Float[Array, ""]:
    # With K = x x' and L = y y' without their diagonals, all sums over pairs of rows are sums over rows of x (sum x) - |x|^2 and the like.
    # x and y are centred: that changes nothing in the estimate and keeps its differences small.
    n = len(x)
    own_x, own_y = (x * x).sum(1), (y * y).sum(1)
    cross = jnp.einsum("ni,nj->ij", x, y, precision=jax.lax.Precision.HIGHEST)
    trace = (cross * cross).sum() - (own_x * own_y).sum()
    rows_x, rows_y = (jnp.matmul(z, z.sum(0), precision=jax.lax.Precision.HIGHEST) - own for z, own in ((x, own_x), (y, own_y)))
    product = rows_x.sum() * rows_y.sum() / ((n - 1) * (n - 2))
    return (trace + product - 2 / (n - 2) * (rows_x * rows_y).sum()) / (n * (n - 3))


@jax.jit
def _batch(state: Hsic, x: Float[Array, "n d1"], y: Float[Array, "n d2"]) -> Hsic:
    kind = state.xy.high.dtype
    x, y = (z.astype(kind) - z.astype(kind).mean(0)[None] for z in (x, y))
    return Hsic(plus(state.xy, _hsic(x, y)), plus(state.xx, _hsic(x, x)), plus(state.yy, _hsic(y, y)))


def start() -> Hsic:
    """No minibatch yet."""
    zero = jnp.zeros((), jax.dtypes.canonicalize_dtype(np.float64))
    return Hsic(*(Total(zero, zero) for _ in range(3)))


def update(state: Hsic, x: Float[Array, "n d1"] | Float[np.ndarray, "n d1"], y: Float[Array, "m d2"] | Float[np.ndarray, "m d2"]) -> Hsic:
    """Adds a minibatch x [n, d1], y [n, d2], n >= 4. Minibatches should be of one size: each counts the same.

    Raises:
      AnalysisError: the numbers of rows differ, or are less than 4.
    """
    if len(x) != len(y) or len(x) < _LEAST:
        raise AnalysisError(f"{len(x)} and {len(y)} rows: both sides need the same number, at least {_LEAST}")
    return _batch(state, x, y)


def finish(state: Hsic, *, names: tuple[str, str] = ("x", "y")) -> float:
    """Unbiased linear CKA of all minibatches: around 0 for independent data, and then of either sign; 0 where a side has no variance.

    The three HSICs are averaged over minibatches before their ratio is taken; that agrees with all rows at once in expectation, not exactly.

    Raises:
      AnalysisError: NaN or infinity, naming the side.
    """
    xy, xx, yy = (float(total.value()) for total in state)
    return _ratio(xy, xx, yy, names)


def unbiased(x: Float[Array, "n d1"] | Float[np.ndarray, "n d1"], y: Float[Array, "m d2"] | Float[np.ndarray, "m d2"]) -> float:
    """Unbiased linear CKA of x [n, d1] and y [n, d2], n >= 4, in memory O(n d): as one minibatch; errors as `update` and `finish`."""
    return finish(update(start(), x, y))
