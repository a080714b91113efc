"""Normalisation and augmentation on the device: pure functions of a key and a batch."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from transfer_jax.core import rng
from transfer_jax.core.normalisation import Normalisation


class Augmentation(NamedTuple):
    """What is done to training images.

    Attributes:
      flip: mirror left and right with probability one half.
      shift: largest shift in either direction, pixels; the edge is repeated.
    """

    flip: bool = False
    shift: int = 0


def normalise(images: UInt8[Array, "b h w c"], how: Normalisation, channels: int = 3) -> Float[Array, "b h w d"]:
    """uint8 0-255 to (x / 255 - mean) / std in float32.

    Args:
      images: [b, h, w, 1 or 3]; grey ones are repeated where the network takes three channels.
      how: mean and std, and the order of the channels.
      channels: that the network takes, d; 1 for grey images only, with the mean of the channels' means.
    """
    if how.bgr and images.shape[-1] == 3:
        images = images[..., ::-1]
    mean, std = (jnp.asarray(values, jnp.float32) for values in (how.grey() if channels == 1 else how)[1:3])
    factor, offset = 1 / (255 * std), mean / std
    scaled = images.astype(jnp.float32) * factor[None, None, None] - offset[None, None, None]
    return jnp.broadcast_to(scaled, (*scaled.shape[:3], channels))


def augment(key: jax.Array, images: UInt8[Array, "b h w c"], how: Augmentation) -> UInt8[Array, "b h w c"]:
    """Applies `how` to every image with its own draw."""
    if how.flip:
        images = flip(rng.stream(key, "flip"), images)
    if how.shift:
        images = shift(rng.stream(key, "shift"), images, how.shift)
    return images


def flip(key: jax.Array, images: UInt8[Array, "b h w c"]) -> UInt8[Array, "b h w c"]:
    """Mirrors each image left and right with probability one half."""
    chosen = jax.random.bernoulli(key, shape=(images.shape[0], 1, 1, 1))
    return jnp.where(chosen, images[:, :, ::-1], images)


def shift(key: jax.Array, images: UInt8[Array, "b h w c"], most: int) -> UInt8[Array, "b h w c"]:
    """Moves each image by up to `most` pixels down and right or up and left, repeating its edge."""
    b, h, w, _ = images.shape
    offsets = jax.random.randint(key, (2, b), -most, most + 1)
    rows = jnp.clip(jnp.arange(h)[None] + offsets[0][:, None], 0, h - 1)
    columns = jnp.clip(jnp.arange(w)[None] + offsets[1][:, None], 0, w - 1)
    return images[jnp.arange(b)[:, None, None], rows[:, :, None], columns[:, None, :]]
