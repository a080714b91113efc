"""Linear centred kernel alignment (CKA), which, unlike CCA, weighs directions by their variance.

    cka.from_moments(state)   # biased, from the moments of `cca`: any number of positions
    cka.unbiased(x, y)        # raw activations, O(n d) memory: 0 on average for independent data
    state = cka.update(cka.start(), x, y); cka.finish(state)   # unbiased, by minibatches

Source: Kornblith et al., "Similarity of neural network representations revisited", ICML 2019; the
unbiased HSIC of Song et al., "Feature selection via dependence maximization", JMLR 2012; its
averages over minibatches of Nguyen, Raghu, Kornblith, ICLR 2021.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from transfer_jax.analysis import activations, units, whitening
from transfer_jax.analysis.activations import Centred
from transfer_jax.analysis.arithmetic import Total, plus
from transfer_jax.analysis.cca import Names, Rows
from transfer_jax.analysis.moments import ActivationMoments, Moments, Pair
from transfer_jax.analysis.result import Mean, in_common_units
from transfer_jax.core.errors import AnalysisError

_LEAST = 4  # the unbiased estimator divides by n - 3


class Hsic(NamedTuple):
    """Sums over minibatches of the unbiased HSIC of the pair and of each side with itself.

    The activations are in units of a power of two, one per side: HSIC takes their fourth powers,
    which in float32 leave room for values between 1e-9 and 1e9 only.

    Attributes:
      xy: The HSIC of the pair.
      xx: That of the first side with itself.
      yy: That of the second side with itself.
      x_exponent: The first side's unit is 2^x_exponent.
      y_exponent: The second side's unit is 2^y_exponent.
    """

    xy: Total
    xx: Total
    yy: Total
    x_exponent: Int[Array, ""]
    y_exponent: Int[Array, ""]


def _ratio(xy: float, xx: float, yy: float, names: tuple[str, str]) -> float:
    for name, value in zip(names, (xx, yy), strict=True):
        if not math.isfinite(value):
            raise AnalysisError(
                f"{name}: the activations hold NaN, infinity or values too large for their type"
            )
    return xy / (math.sqrt(xx) * math.sqrt(yy)) if xx > 0 and yy > 0 else 0.0


def from_moments(state: Moments, *, names: tuple[str, str] = ("x", "y")) -> float:
    """Computes biased linear CKA, |Sxy|^2 / (|Sxx| |Syy|) in Frobenius norms.

    Args:
      state: Moments of one pair, from `cca.moments` and `cca.update`.
      names: Names of the sides, for messages.

    Returns:
      A value in [0, 1]; 0 where a side has no variance. Independent data give more than 0, the more
      channels per position the more.

    Raises:
      AnalysisError: A side holds NaN or infinity; it is named.
    """
    (pair,) = state.cross
    return many_from_moments([state], names={pair: names})[0][pair].mean


def many_from_moments(
    states: Iterable[Moments], *, names: Names | None = None
) -> list[dict[Pair, Mean]]:
    """Computes `from_moments` of every pair of every state.

    The level by chance is the mean over all permutations of the positions of one side,
    tr(Sxx) tr(Syy) / ((n - 1) |Sxx| |Syy|).
    """
    results = []
    for state in jax.device_get(list(states)):
        state = in_common_units(state)
        n = state.positions()
        x, y = (
            {name: _own(activation, n) for name, activation in side.items()}
            for side in (state.x, state.y)
        )
        of_state = {}
        for (a, b), cross in state.cross.items():
            square = float(np.linalg.norm(cross.value())) ** 2
            squares, of_names = (x[a].norm ** 2, y[b].norm ** 2), (names or {}).get((a, b), (a, b))
            value = min(1.0, _ratio(square, *squares, of_names))
            traces = x[a].trace * y[b].trace / max(n - 1, 1)
            level = min(1.0, _ratio(traces, *squares, of_names))
            of_state[a, b] = Mean(value, math.nan, level, n, x[a].varying, y[b].varying)
        results.append(of_state)
    return results


class _Own(NamedTuple):
    """Of the products of one activation: their norm, their trace, and how many channels vary."""

    norm: float
    trace: float
    varying: int


def _own(activation: ActivationMoments, n: int) -> _Own:
    products = activation.products.value()
    varying = whitening.varying(np, n, products, activation.rounding)
    return _Own(float(np.linalg.norm(products)), float(np.trace(products)), int(varying.sum()))


def _hsic(x: Float[Array, "n d1"], y: Float[Array, "n d2"]) -> Float[Array, ""]:
    # With K = x x' and L = y y' without their diagonals, all sums over pairs of rows are sums over
    # rows of x (sum x) - |x|^2 and the like. x and y are centred: that changes nothing in the
    # estimate and keeps its differences small.
    n = len(x)
    own_x, own_y = (x * x).sum(1), (y * y).sum(1)
    cross = jnp.einsum("ni,nj->ij", x, y, precision=jax.lax.Precision.HIGHEST)
    trace = (cross * cross).sum() - (own_x * own_y).sum()
    rows_x, rows_y = (
        jnp.matmul(z, z.sum(0), precision=jax.lax.Precision.HIGHEST) - own
        for z, own in ((x, own_x), (y, own_y))
    )
    product = rows_x.sum() * rows_y.sum() / ((n - 1) * (n - 2))
    return (trace + product - 2 / (n - 2) * (rows_x * rows_y).sum()) / (n * (n - 3))


def _side(rows: Any, kind: np.dtype) -> tuple[Float[Array, "n d"], Int[Array, ""]]:
    """Returns a minibatch, centred, and the exponent of the power of two that it was divided by."""
    values = rows.values if isinstance(rows, Centred) else rows
    values = values.astype(kind)
    # The first row before the mean: far from zero the mean has a rounding error of many deviations.
    raw = units.choose(jnp, jnp.abs(values).max()[None], ordinary=False)
    values = units.into(values, raw)
    values = values - values[0][None]
    values = values - values.mean(0)[None]
    spread = units.choose(jnp, jnp.abs(values).max()[None], ordinary=False)
    exponent = (
        spread
        + jnp.where(raw == units.NOTHING, 0, raw)
        + (rows.exponent if isinstance(rows, Centred) else 0)
    )
    return (
        units.into(values, spread),
        jnp.where(spread == units.NOTHING, units.NOTHING, exponent)[0],
    )


@jax.jit
def _batch(state: Hsic, given_x: Any, given_y: Any) -> Hsic:
    kind = state.xy.high.dtype
    (x, x_exponent), (y, y_exponent) = _side(given_x, kind), _side(given_y, kind)
    units_x, units_y = (
        jnp.maximum(state.x_exponent, x_exponent),
        jnp.maximum(state.y_exponent, y_exponent),
    )

    def add(total: Total, value: Array, sides: str) -> Total:
        """Adds two numbers in the larger units; the HSIC of two sides has two factors of each."""
        before, now = jnp.ones((), kind), jnp.ones((), kind)
        for side in sides:
            old, new, unit = (
                (state.x_exponent, x_exponent, units_x)
                if side == "x"
                else (state.y_exponent, y_exponent, units_y)
            )
            before, now = (
                before * units.factor(old, unit, kind) ** 2,
                now * units.factor(new, unit, kind) ** 2,
            )
        return plus(Total(total.high * before, total.low * before), value * now)

    xy, xx, yy = (
        add(state.xy, _hsic(x, y), "xy"),
        add(state.xx, _hsic(x, x), "xx"),
        add(state.yy, _hsic(y, y), "yy"),
    )
    return Hsic(xy, xx, yy, units_x, units_y)


def start() -> Hsic:
    """Returns the state before the first minibatch."""
    zero, nothing = (
        jnp.zeros((), jax.dtypes.canonicalize_dtype(np.float64)),
        jnp.asarray(units.NOTHING, jnp.int32),
    )
    none = Total(zero, zero)
    return Hsic(none, none, none, nothing, nothing)


def update(state: Hsic, x: Rows, y: Rows, *, names: tuple[str, str] = ("x", "y")) -> Hsic:
    """Adds a minibatch x [n, d1], y [n, d2], n >= 4.

    Minibatches should be of one size: each counts the same.

    Raises:
      AnalysisError: The activations are not rows of real numbers, their numbers of rows differ, or
        these are less than 4.
    """
    x, y = activations.check_pair(x, y, names)
    if x.shape[0] < _LEAST:
        raise AnalysisError(
            f"{names[0]} and {names[1]}: {x.shape[0]} rows: unbiased CKA needs at least {_LEAST}"
            " in every minibatch"
        )
    return _batch(state, activations.widen(x, together=True), activations.widen(y, together=True))


def finish(state: Hsic, *, names: tuple[str, str] = ("x", "y")) -> float:
    """Computes unbiased linear CKA of all minibatches.

    The three HSICs are averaged over minibatches before their ratio is taken; that agrees with all
    rows at once in expectation, not exactly.

    Returns:
      A value around 0 for independent data, and then of either sign; 0 where a side has no
      variance.

    Raises:
      AnalysisError: A side holds NaN or infinity; it is named.
    """
    xy, xx, yy = (float(total.value()) for total in (state.xy, state.xx, state.yy))
    return _ratio(xy, xx, yy, names)


def unbiased(x: Rows, y: Rows, *, names: tuple[str, str] = ("x", "y")) -> float:
    """Computes unbiased linear CKA of x [n, d1] and y [n, d2], n >= 4, in memory O(n d).

    The activations are one minibatch; errors are those of `update` and `finish`.
    """
    return finish(update(start(), x, y, names=names), names=names)
