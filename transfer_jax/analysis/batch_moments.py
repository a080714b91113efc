"""Adds the rows of a batch to moments: one compiled call, whatever was added before."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Num

from transfer_jax.analysis import activations, units
from transfer_jax.analysis.activations import Centred
from transfer_jax.analysis.arithmetic import Total, outer, plus, two_sum
from transfer_jax.analysis.moments import ActivationMoments, Moments, merge
from transfer_jax.core.errors import AnalysisError

Counted = Bool[Array, " _"] | Num[Array, " _"] | Bool[np.ndarray, " _"] | Num[np.ndarray, " _"]


def update(
    moments: Moments, xs: Mapping[str, Any], ys: Mapping[str, Any], counted: Counted | None = None
) -> Moments:
    """Adds the rows of one batch: one compiled call, whatever was added before.

    Args:
      moments: The moments so far.
      xs: Rows [n, d] by stage of the first network, see `activations.check`; n is the same for all,
        and row i of each is the same position of the same image.
      ys: Rows by stage of the second network.
      counted: [n], 1 or True for the rows that count, 0 for those that only fill up the batch and
        may hold anything; all count where None.

    Raises:
      AnalysisError: The activations are not rows of real numbers, they do not correspond, or their
        width is not that of the moments.
    """
    checked = [
        {name: activations.check(rows[name], name) for name in rows if name in side}
        for rows, side in ((xs, moments.x), (ys, moments.y))
    ]
    for rows, side in zip(checked, (moments.x, moments.y), strict=True):
        _check_widths(rows, side)
    counts = {name: rows.shape[0] for side in checked for name, rows in side.items()}
    if counted is not None:
        counts["counted"] = len(counted)
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"{name} has {count} rows" for name, count in counts.items())
        raise AnalysisError(f"the activations do not correspond: {numbers}")
    if not next(iter(counts.values()), 0):
        return moments
    x, y = (
        {name: activations.widen(rows, counted) for name, rows in side.items()} for side in checked
    )
    return _update(moments, x, y, counted)


def _check_widths(rows: Mapping[str, Any], side: Mapping[str, ActivationMoments]) -> None:
    """Raises AnalysisError where a stage is missing or has another number of channels."""
    for name, activation in side.items():
        width = len(activation.mean.high)
        if name in rows and rows[name].shape[1] == width:
            continue
        count = rows[name].shape[1] if name in rows else "none"
        hint = ""
        if name in rows and rows[name].shape[0] == width:
            hint = activations.transposed([name])
        raise AnalysisError(
            f"{name}: {count} channels, but the moments were made for {width}{hint}"
        )


@jax.jit
def _update(
    moments: Moments, xs: Mapping[str, Any], ys: Mapping[str, Any], counted: Any = None
) -> Moments:
    return merge(moments, _of_batch(moments, xs, ys, counted))


def _products(a: Array, b: Array) -> Array:
    return jnp.einsum("ni,nj->ij", a, b, precision=jax.lax.Precision.HIGHEST)


class _Side(NamedTuple):
    """One activation of a batch.

    Attributes:
      rest: Rows without their mean, [n, d].
      off: Mean of `rest`: what rounding left of it, [d].
      mean: Mean of the rows, [d].
      exponent: The units are 2^exponent, [d].
      rounding: Rounding of the largest value, [d].
    """

    rest: Array
    off: Array
    mean: Total
    exponent: Array
    rounding: Array


def _of_batch(
    moments: Moments, xs: Mapping[str, Any], ys: Mapping[str, Any], counted: Array | None
) -> Moments:
    kind = moments.n.high.dtype
    n = next(iter(xs.values())).shape[0] if counted is None else (counted > 0).sum(dtype=kind)

    def kept(rows: Array) -> Array:
        if counted is None:
            return rows
        return jnp.where((counted > 0)[:, None], rows, 0)  # not a product: a row may hold NaN

    def average(rows: Array) -> Array:
        return rows.sum(0) / jnp.maximum(n, 1)

    def prepared(rows: Any) -> Centred:
        if isinstance(rows, Centred):
            return rows.replace(values=kept(rows.values))  # type: ignore[attr-defined]
        precision = jnp.finfo(jnp.promote_types(rows.dtype, np.float32)).eps
        values = kept(rows.astype(kind))
        largest = jnp.abs(values).max(0)
        exponent = units.choose(jnp, largest)
        zero = jnp.zeros_like(largest)
        # Devices take numbers below the smallest normal one for 0.
        rounding = jnp.maximum(precision * largest, jnp.finfo(kind).tiny)
        return Centred(
            units.into(values, exponent), zero, zero, exponent, units.into(rounding, exponent)
        )

    def centred(rows_of_stage: Any) -> _Side:
        rows = prepared(rows_of_stage)
        first = rows.values[0 if counted is None else jnp.argmax(counted > 0)]
        rest = kept(rows.values - first[None])
        near = average(rest)
        rest = kept(rest - near[None])
        off = average(rest)
        return _Side(
            rest,
            off,
            plus(Total(rows.high, rows.low), first, near, off),
            rows.exponent,
            rows.rounding,
        )

    x, y = (
        {name: centred(rows[name]) for name in side}
        for side, rows in ((moments.x, xs), (moments.y, ys))
    )

    def products(a: _Side, b: _Side) -> Total:
        return two_sum(_products(a.rest, b.rest), -n * outer(a.off, b.off))

    def own(side: dict[str, _Side]) -> dict[str, ActivationMoments]:
        return {
            name: ActivationMoments(of.mean, products(of, of), of.exponent, of.rounding)
            for name, of in side.items()
        }

    cross = {(a, b): products(x[a], y[b]) for a, b in moments.cross}
    return Moments(Total(jnp.asarray(n, kind), jnp.zeros((), kind)), own(x), own(y), cross)
