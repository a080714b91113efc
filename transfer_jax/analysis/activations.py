"""Checks activations at the door: impossible comparisons are errors at once, float64 is centred
first.

Comparisons take rows [n, d]: one row per position of an image, one column per channel.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from transfer_jax.analysis import units
from transfer_jax.core.errors import AnalysisError

_SAMPLE = 64  # rows that are looked at for numbers below float32's smallest


@struct.dataclass
class Centred:
    """Rows in float32 that were centred, and scaled, in a higher precision.

    Attributes:
      values: [n, d] (row - mean) / 2^exponent; arrays of NumPy outside of jit, as all that follows.
      high: [d] mean / 2^exponent, in two numbers of float32: this one ...
      low: [d] ... and what rounding took from it.
      exponent: [d] exponents of the channels' units; [1] where they share one.
      rounding: [d] the rounding of the largest of the rows, in the same units.
    """

    values: Any
    high: Any
    low: Any
    exponent: Any
    rounding: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the rows."""
        return self.values.shape


def check(value: Any, name: str) -> Any:
    """Returns an activation as an array of rows [n, d].

    Args:
      value: The activation: an array of JAX or NumPy, or nested sequences, of real numbers.
      name: Its name in messages.

    Raises:
      AnalysisError: It does not have two axes, has no channels, or does not hold real numbers.
    """
    if isinstance(value, Centred):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise AnalysisError(
            f"{name}: masked arrays are not compared: leave the masked positions out"
        )
    if not isinstance(value, jax.Array | np.ndarray):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise AnalysisError(
                f"{name}: not an array ({error}): give rows [n, d] of one length"
            ) from error
    if not (
        value.dtype == bool
        or jnp.issubdtype(value.dtype, jnp.integer)
        or jnp.issubdtype(value.dtype, jnp.floating)
    ):
        raise AnalysisError(
            f"{name}: activations are real numbers, these are of the type {value.dtype}: convert"
            " them, e.g. to float32"
        )
    if isinstance(value, np.ndarray) and value.dtype == np.longdouble:
        value = value.astype(np.float64)
    if value.ndim != 2:
        raise AnalysisError(
            f"{name}: activations are rows [n, d], one per position, but their shape is"
            f" {value.shape}: {_advice(value.ndim)}"
        )
    if value.shape[1] == 0:
        raise AnalysisError(
            f"{name}: the activations have no channels: their shape is {value.shape}, rows are"
            " [n, d]"
        )
    return value


def _advice(ndim: int) -> str:
    if ndim == 4:
        return (
            "fold the positions of activations [b, h, w, c] into rows, x.reshape(-1, x.shape[-1])"
        )
    if ndim == 1:
        return "of one channel give x[:, None]"
    return (
        "keep the channels as the last axis and fold all others into rows, x.reshape(-1,"
        " x.shape[-1])"
    )


def check_pair(x: Any, y: Any, names: tuple[str, str]) -> tuple[Any, Any]:
    """Returns two activations as rows of the same positions.

    Raises:
      AnalysisError: See `check`, and where the numbers of rows differ.
    """
    x, y = check(x, names[0]), check(y, names[1])
    if x.shape[0] != y.shape[0]:
        hint = transposed(names) if x.shape[1] in y.shape or y.shape[1] in x.shape else ""
        raise AnalysisError(
            f"the activations do not correspond: {names[0]} has {x.shape[0]} rows and {names[1]}"
            f" {y.shape[0]}{hint}"
        )
    return x, y


def transposed(names: Sequence[str]) -> str:
    """Returns a hint that activations may have been given as [d, n]."""
    are = f"Are {' and '.join(names)}" if len(names) > 1 else f"Is {names[0]}"
    return (
        f". {are} transposed? Rows are positions and columns channels, [n, d]: with google/svcca's"
        " [d, n], give x.T"
    )


def widen(value: Any, counted: Any = None, *, together: bool = False) -> Any:
    """Returns rows as the device can sum them without loss: `Centred` where float32 would lose
    them.

    Only NumPy arrays can hold what float32 loses, unless jax_enable_x64 is set: float64, whole
    numbers, and numbers of float32 below its smallest normal one. Everything else is returned as
    it is.

    Args:
      value: From `check`.
      counted: [n], above 0 for the rows that count; all count where None.
      together: Whether all channels get one unit instead of one each, then [1].
    """
    if (
        not isinstance(value, np.ndarray)
        or _float64_is_kept()
        or isinstance(counted, jax.core.Tracer)
        or not _lost(value)
    ):
        return value
    x = value.astype(np.float64)
    precision = float(np.finfo(value.dtype).eps) if np.issubdtype(value.dtype, np.floating) else 0.0
    with np.errstate(all="ignore"):  # NaN and infinity are told of when the comparison is finished
        if counted is None:
            mean = x.mean(0)
        else:
            mask = np.asarray(counted) > 0
            mean = x[mask].mean(0) if mask.any() else np.zeros(x.shape[1])
            x = np.where(mask[:, None], x, mean)
        rest = x - mean
        spread = np.maximum(rest.max(0), -rest.min(0))
        largest = spread + np.abs(mean)
        if together:
            spread, largest = spread.max(keepdims=True), largest.max(keepdims=True)
        exponent = units.choose(np, np.where(spread > 0, spread, largest))
        shift = -np.where(exponent == units.NOTHING, 0, exponent)
        mean = np.ldexp(mean, shift)
        high = mean.astype(np.float32)
        low = np.where(np.isfinite(high), mean - high, 0).astype(np.float32)
        rounding = np.ldexp(precision * largest, shift).astype(np.float32)
        values = (np.ldexp(rest, shift) if shift.any() else rest).astype(np.float32)
        return Centred(values, high, low, exponent, np.broadcast_to(rounding, exponent.shape))


def _float64_is_kept() -> bool:
    return jax.dtypes.canonicalize_dtype(np.float64) == np.float64


def _lost(value: np.ndarray) -> bool:
    """Returns whether converting an array to float32 would lose what it holds."""
    if value.dtype == np.float32:
        sample = np.abs(value[:_SAMPLE])
        return bool(((sample > 0) & (sample < np.finfo(np.float32).tiny)).any())
    return value.dtype != bool and value.dtype.itemsize >= 4
