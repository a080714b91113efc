"""Reads images between their pixels and beyond their edges, for affine maps and resized crops.

Between pixels: four taps in one fused kernel. Packing neighbouring taps into words, so that fewer
loads are needed, was measured on a CPU and is 5 to 10 times slower: the packed image has to be
written to memory first. Beyond edges: the modes of scipy.ndimage that Keras passes on to it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num, UInt8

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

FILLS = {
    "nearest": "the edge is repeated: a a | a b c d | d d",
    "constant": (
        "one value for every place beyond the centres of the outermost pixels; nothing is blended"
    ),
    "reflect": "mirrored about the edge: b a | a b c d | d c",
    "wrap": (
        "repeated with the period n - 1, as scipy has always done it: the last pixel and the first"
        " are one place"
    ),
}


class Places(NamedTuple):
    """Where each output pixel is looked up.

    Attributes:
      rows: Rows in pixels, 0 (the centre of the first row) to h - 1.
      columns: Columns in pixels, 0 to w - 1.
      inside: One for places within the image, zero for those that take the fill value; None where
        no place takes it.
    """

    rows: Float[Array, "b y x"]
    columns: Float[Array, "b y x"]
    inside: Float[Array, "b y x"] | None = None


def bilinear(
    images: Num[Array, "b h w c"], places: Places, value: float = 0.0
) -> Num[Array, "b y x c"]:
    """Interpolates bilinearly.

    Args:
      images: uint8 0-255, or floating point of any range.
      places: Places within the images; beyond them the result is undefined.
      value: Value where `places.inside` is zero.

    Returns:
      uint8, rounded to the nearest, for uint8; otherwise float32.
    """
    height, width = images.shape[1:3]
    above, left = jnp.floor(places.rows), jnp.floor(places.columns)
    down, right = (places.rows - above)[..., None], (places.columns - left)[..., None]
    r0, c0 = above.astype(jnp.int32), left.astype(jnp.int32)
    r1, c1 = jnp.minimum(r0 + 1, height - 1), jnp.minimum(c0 + 1, width - 1)

    def tap(row: Array, column: Array) -> Array:
        # vmap, not a third index array: the batch stays a batch for the partitioner, and no device
        # asks another for its images.
        return jax.vmap(lambda image, r, c: image.at[r, c].get(mode="promise_in_bounds"))(
            images, row, column
        ).astype(jnp.float32)

    top = tap(r0, c0) * (1 - right) + tap(r0, c1) * right
    bottom = tap(r1, c0) * (1 - right) + tap(r1, c1) * right
    values = top * (1 - down) + bottom * down
    if places.inside is not None:
        inside = places.inside[..., None]
        # Not `where`: XLA's CPU code for it is three times slower here.
        values = values * inside + value * (1 - inside)
    return to_uint8(values) if images.dtype == jnp.uint8 else values


def continued(x: Float[Array, "b h w"], n: int, fill: str) -> Float[Array, "b h w"]:
    """Returns the coordinates in 0..n-1 whose values an image continued beyond its edge has at `x`.

    Args:
      x: Coordinates in pixels; 0 is the centre of the first one.
      n: Number of pixels of the axis.
      fill: See `FILLS`; "constant" gives the nearest place on the edge.

    Raises:
      ConfigError: The fill is unknown.
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


def to_uint8(values: Float[Array, "..."]) -> UInt8[Array, "..."]:
    """Rounds to the nearest of 0-255."""
    return jnp.clip(jnp.round(values), 0, 255).astype(jnp.uint8)
