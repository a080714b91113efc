"""uint8 pixels to the numbers that a network takes."""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from transfer_jax.core.normalisation import Normalisation


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
