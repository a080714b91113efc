"""Random tensors with a given mean and standard deviation."""

import math
from typing import Any

import jax

from transfer_jax.inits import choices

NAMES = ("normal", "truncated")
_CUT = 2.0
# Standard deviation of a standard normal cut off at +-2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)) = 0.87963.
_CUT_STD = math.sqrt(1 - 2 * _CUT * math.exp(-(_CUT**2) / 2) / math.sqrt(2 * math.pi) / math.erf(_CUT / math.sqrt(2)))


def draw(key: jax.Array, shape: tuple[int, ...], mean: Any, std: Any, distribution: str = "normal") -> jax.Array:
    """A tensor of independent values whose expected mean and variance are exactly `mean` and `std` squared.

    Args:
      key: typed PRNG key.
      shape: of the tensor.
      mean: scalar array.
      std: scalar array, of the type of the result, not negative.
      distribution: "normal", or "truncated": a normal distribution cut off at two of its standard deviations and then stretched by
        1 / 0.87963, so that what the cut takes from the variance is given back; values stay within 2.2737 `std` of the mean.

    Raises:
      ConfigError: another distribution.
    """
    choices.check("distribution", distribution, NAMES)
    if distribution == "normal":
        return mean + std * jax.random.normal(key, shape, std.dtype)
    return mean + std / _CUT_STD * jax.random.truncated_normal(key, -_CUT, _CUT, shape, std.dtype)
