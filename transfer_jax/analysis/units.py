"""Powers of two as units of channels, so that squares of tiny and of huge activations fit into
float32.

A channel's values are kept as (value / 2^exponent), with the exponent beside them. Multiplying by
a power of two is exact, and for channels of ordinary size the exponent is 0.
"""

from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

NOTHING = -(1 << 14)
"""The exponent of a channel in which there was no value but zero: lower than any other."""
_LEAST, _MOST = -20, 40  # between them squares, and squares of the roundings, are normal numbers
_SMALLEST = -126  # exponent of the smallest normal float32


def choose(xp: ModuleType, largest: Any, *, ordinary: bool = True) -> Any:
    """Returns the exponents of the units of channels.

    Args:
      xp: numpy or jax.numpy.
      largest: Largest magnitude of each channel, any shape. NaN and infinity get the exponent 0.
      ordinary: Whether magnitudes between 1e-6 and 1e12 get the exponent 0, too.
    """
    most = np.finfo(largest.dtype).maxexp - 2  # 2^most and 2^-most are normal numbers
    exponent = xp.clip(xp.frexp(largest)[1], -most, most).astype(np.int32)
    keep = ~xp.isfinite(largest) | (ordinary & (exponent >= _LEAST) & (exponent <= _MOST))
    return xp.where(largest == 0, NOTHING, xp.where(keep, 0, exponent)).astype(np.int32)


def into(values: Float[Array, "*n c"], exponent: Int[Array, " #c"]) -> Float[Array, "*n c"]:
    """Returns values / 2^exponent, for exponents that `choose` gave for them."""
    exponent = jnp.where(exponent == NOTHING, 0, exponent).reshape((1,) * (values.ndim - 1) + (-1,))
    return values * jnp.ldexp(jnp.ones((), values.dtype), -exponent)


def factor(
    exponent: Int[Array, "*c"], unit: Int[Array, "*#c"] | Int[Array, ""], kind: np.dtype
) -> Float[Array, "*c"]:
    """Returns the factor from units of 2^exponent to units of 2^unit.

    It is at most 1, since `unit` is the larger one; 0 where it would not be a normal number.
    """
    step = exponent - unit
    return jnp.where(
        step < _SMALLEST, 0, jnp.ldexp(jnp.ones((), kind), jnp.maximum(step, _SMALLEST))
    )


def relative(exponent: Int[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
    """Returns 2^exponent of the channels in float64, in units of the largest of them."""
    seen = exponent[exponent > NOTHING]
    top = seen.max() if len(seen) else 0
    return np.ldexp(1.0, np.clip(exponent.astype(np.int64) - top, -500, 0))
