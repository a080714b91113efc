"""How an image goes on beyond its edge: the modes of scipy.ndimage that Keras passes on to it."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

FILLS = {
    "nearest": "the edge is repeated: a a | a b c d | d d",
    "constant": "one value for every place beyond the centres of the outermost pixels; nothing is blended",
    "reflect": "mirrored about the edge: b a | a b c d | d c",
    "wrap": "repeated with the period n - 1, as scipy has always done it: the last pixel and the first are one place",
}


def continued(x: Float[Array, "b h w"], n: int, fill: str) -> Float[Array, "b h w"]:
    """The coordinate in 0..n-1 whose value the image, continued beyond its edge, has at `x`.

    Args:
      x: in pixels; 0 is the centre of the first one.
      n: pixels of the axis.
      fill: see `FILLS`; for "constant" it is the place on the edge that is nearest.

    Raises:
      ConfigError: an unknown fill.
    """
    if fill not in FILLS:
        raise ConfigError(f"unknown fill {fill!r}: {nearest(fill, FILLS)}")
    if fill == "reflect":
        x = x + 0.5 - 2 * n * jnp.floor((x + 0.5) / (2 * n))
        x = n - jnp.abs(n - x) - 0.5
    elif fill == "wrap" and n > 1:
        period = n - 1
        below = x + period * (jnp.floor(-x / period) + 1)
        x = jnp.where(x < 0, below, jnp.where(x > period, x - period * jnp.floor(x / period), x))
    return jnp.clip(x, 0, n - 1)
