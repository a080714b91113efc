"""Linear centred kernel alignment (CKA): similarity that also asks how much variance a direction has, unlike CCA.

    cka.from_moments(state)             # biased, from the moments of `cca`: any number of positions, one pass
    cka.unbiased(x, y)                  # raw activations, O(n d) memory: independent data give 0 on average, for any d
    state = cka.update(cka.start(), x, y); cka.finish(state)   # unbiased, by minibatches

Source: Kornblith et al., "Similarity of neural network representations revisited", ICML 2019; the unbiased HSIC of Song et al., "Feature selection
via dependence maximization", JMLR 2012; its averages over minibatches of Nguyen, Raghu, Kornblith, ICLR 2021.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from transfer_jax.analysis import rows
from transfer_jax.analysis.moments import Moments
from transfer_jax.analysis.totals import Total, plus
from transfer_jax.core.errors import AnalysisError

_LEAST = 4  # the unbiased estimator divides by n - 3
_SMALLEST, _LARGEST = 1e-35, 1e35


class Hsic(NamedTuple):
    """Sums over minibatches of the unbiased HSIC of the pair and of each side with itself.

    Attributes:
      xy: Of the pair.
      xx: Of the first side.
      yy: Of the second.
      exponents: Powers of two that the sides are scaled by, int32 [2], as the first minibatch sets them.
      batches: Number of minibatches, int32 [].
    """

    xy: Total
    xx: Total
    yy: Total
    exponents: Array
    batches: Array


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

    def fitting(rows: Array) -> Array:
        """Returns the power of two that brings rows near 1."""
        largest = jnp.where(jnp.isfinite(rows), jnp.abs(rows), 0).max()
        return jnp.where(largest > 0, -jnp.floor(jnp.log2(jnp.where(largest > 0, largest, 1))), 0)

    def scaled(rows: Array, exponent: Array) -> Array:
        rows = rows.astype(kind) * jnp.exp2(exponent.astype(kind))
        return rows - rows.mean(0)[None]

    first = jnp.stack([fitting(rows.astype(kind)) for rows in (x, y)]).astype(jnp.int32)
    exponents = jnp.where(state.batches > 0, state.exponents, first)
    x, y = scaled(x, exponents[0]), scaled(y, exponents[1])
    return Hsic(
        plus(state.xy, _hsic(x, y)),
        plus(state.xx, _hsic(x, x)),
        plus(state.yy, _hsic(y, y)),
        exponents,
        state.batches + 1,
    )


def start() -> Hsic:
    """Returns the state of no minibatch yet."""
    zero = jnp.zeros((), jax.dtypes.canonicalize_dtype(np.float64))
    nothing = Total(zero, zero)
    return Hsic(nothing, nothing, nothing, jnp.zeros(2, jnp.int32), jnp.int32(0))


def update(state: Hsic, x: Any, y: Any) -> Hsic:
    """Adds a minibatch x [n, d1], y [n, d2], n >= 4; they should be of one size, since each counts the same.

    Raises:
      AnalysisError: x or y is no table of numbers, or their numbers of rows differ or are less than 4.
    """
    x, y = rows.pair(x, y)
    if len(x) < _LEAST:
        raise AnalysisError(f"{len(x)} rows: unbiased CKA needs at least {_LEAST}")
    return _batch(state, *map(_centred, (x, y)))


def _centred(activations: Any) -> Any:
    """Returns float64 of the host without its mean, which float32 may not hold beside the deviations.

    CKA does not change when a minibatch is shifted.
    """
    if isinstance(activations, np.ndarray) and activations.dtype == np.float64:
        with np.errstate(invalid="ignore"):
            apart = activations - activations.mean(0)[None]
        largest = np.abs(apart[np.isfinite(apart)]).max(initial=0)
        extreme = largest > 0 and not _SMALLEST < largest < _LARGEST
        if extreme:
            raise AnalysisError(f"values of a size of {largest:.1e} do not fit float32: scale them")
        return apart
    return activations


def finish(state: Hsic, *, names: tuple[str, str] = ("x", "y")) -> float:
    """Unbiased linear CKA of all minibatches: around 0 for independent data, and then of either sign; 0 where a side has no variance.

    The three HSICs are averaged over minibatches before their ratio is taken; that agrees with all rows at once in expectation, not exactly.

    Raises:
      AnalysisError: NaN or infinity, naming the side.
    """
    xy, xx, yy = (float(total.value()) for total in state[:3])
    return _ratio(xy, xx, yy, names)


def unbiased(x: Any, y: Any) -> float:
    """Returns unbiased linear CKA of x [n, d1] and y [n, d2], n >= 4, in memory O(n d).

    It is that of one minibatch; errors are those of `update` and `finish`.
    """
    return finish(update(start(), x, y))
