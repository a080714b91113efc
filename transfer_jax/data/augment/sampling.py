"""Images read between their pixels: the one gather that affine maps and resized crops share.

Four taps in one fused kernel. Packing neighbouring taps into words, so that fewer loads are needed, was measured on a CPU and is
5 to 10 times slower: the packed image has to be written to memory first.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num, UInt8


class Places(NamedTuple):
    """Where each output pixel is looked up.

    Attributes:
      rows: in pixels, 0 (the centre of the first row) to h - 1.
      columns: 0 to w - 1.
      inside: one where the place was inside the image to begin with, zero where the fill value goes; None where no place needs one.
    """

    rows: Float[Array, "b y x"]
    columns: Float[Array, "b y x"]
    inside: Float[Array, "b y x"] | None = None


def bilinear(images: Num[Array, "b h w c"], places: Places, value: float = 0.0) -> Num[Array, "b y x c"]:
    """Bilinear interpolation.

    Args:
      images: uint8 0-255, or floating point of any range.
      places: within the images; beyond them the result is not defined.
      value: where `places.inside` is zero.

    Returns:
      uint8, rounded to the nearest, for uint8; otherwise float32.
    """
    height, width = images.shape[1:3]
    above, left = jnp.floor(places.rows), jnp.floor(places.columns)
    down, right = (places.rows - above)[..., None], (places.columns - left)[..., None]
    r0, c0 = above.astype(jnp.int32), left.astype(jnp.int32)
    r1, c1 = jnp.minimum(r0 + 1, height - 1), jnp.minimum(c0 + 1, width - 1)

    def tap(row: Array, column: Array) -> Array:
        # vmap, not a third index array: the batch stays a batch for the partitioner, and no device asks another for its images.
        return jax.vmap(lambda image, r, c: image.at[r, c].get(mode="promise_in_bounds"))(images, row, column).astype(jnp.float32)

    top = tap(r0, c0) * (1 - right) + tap(r0, c1) * right
    bottom = tap(r1, c0) * (1 - right) + tap(r1, c1) * right
    values = top * (1 - down) + bottom * down
    if places.inside is not None:
        inside = places.inside[..., None]
        values = values * inside + value * (1 - inside)  # not `where`: XLA's CPU code for it is three times slower here
    return to_uint8(values) if images.dtype == jnp.uint8 else values


def to_uint8(values: Float[Array, "..."]) -> UInt8[Array, "..."]:
    """To the nearest of 0-255."""
    return jnp.clip(jnp.round(values), 0, 255).astype(jnp.uint8)
