"""Moves whole pixels: flips, quarter turns, shifts and crops. Nothing is interpolated."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, UInt8

from transfer_jax.core.errors import ConfigError


def flip(key: jax.Array, images: UInt8[Array, "b h w c"]) -> UInt8[Array, "b h w c"]:
    """Mirrors each image left and right with probability one half."""
    return jnp.where(halves(key, images.shape[0])[:, None, None, None], images[:, :, ::-1], images)


def flip_vertical(key: jax.Array, images: UInt8[Array, "b h w c"]) -> UInt8[Array, "b h w c"]:
    """Mirrors each image top and bottom with probability one half."""
    return jnp.where(halves(key, images.shape[0])[:, None, None, None], images[:, ::-1], images)


def quarter_turn(key: jax.Array, images: UInt8[Array, "b h w c"]) -> UInt8[Array, "b h w c"]:
    """Turns each image by 0, 90, 180 or 270 degrees, each with probability one quarter.

    Raises:
      ConfigError: The images are not square.
    """
    if images.shape[1] != images.shape[2]:
        raise ConfigError(
            f"quarter_turn is for square images, not for {images.shape[1]} x {images.shape[2]}"
            " pixels"
        )
    half, quarter = (halves(k, images.shape[0])[:, None, None, None] for k in jax.random.split(key))
    images = jnp.where(half, images[:, ::-1, ::-1], images)
    return jnp.where(quarter, images.swapaxes(1, 2)[:, ::-1], images)


def shift(key: jax.Array, images: UInt8[Array, "b h w c"], most: int) -> UInt8[Array, "b h w c"]:
    """Moves each image by up to `most` pixels down and right or up and left, repeating its edge."""
    return _moved(key, images, most)[0]


def crop(
    key: jax.Array, images: UInt8[Array, "b h w c"], padding: int, value: float = 0.0
) -> UInt8[Array, "b h w c"]:
    """Cuts a random window of the images' own size out of images with a border.

    The border is `padding` pixels wide and has the value `value` (0-255).
    """
    moved, inside = _moved(key, images, padding)
    return jnp.where(inside, moved, jnp.uint8(round(value)))


def halves(key: jax.Array, b: int) -> Bool[Array, " b"]:
    """Returns, for each of b images, true with probability one half."""
    return jax.random.bernoulli(key, shape=(b,))


def _moved(
    key: jax.Array, images: UInt8[Array, "b h w c"], most: int
) -> tuple[UInt8[Array, "b h w c"], Bool[Array, "b h w 1"]]:
    """Returns the images moved by whole pixels, and which of their pixels repeat no edge."""
    b, h, w, _ = images.shape
    offsets = jax.random.randint(key, (2, b), -most, most + 1)
    rows, columns = (
        jnp.arange(n)[None] + offset[:, None] for n, offset in zip((h, w), offsets, strict=True)
    )
    kept = [(x >= 0) & (x < n) for x, n in ((rows, h), (columns, w))]
    moved = jax.vmap(lambda image, r, c: image[r[:, None], c[None]])(
        images, jnp.clip(rows, 0, h - 1), jnp.clip(columns, 0, w - 1)
    )
    return moved, (kept[0][:, :, None] & kept[1][:, None])[..., None]
