"""How many images a second an augmentation makes on this machine."""

import itertools

import jax
import jax.numpy as jnp

from transfer_jax.core.errors import ConfigError
from transfer_jax.data import augment
from transfer_jax.tools import timing


def measure(preset: str, batch: int = 32, size: int = 224, repeats: int = 20) -> float:
    """Images per second of a named augmentation: compiled, images already on the device, median of `repeats` batches.

    Args:
      preset: a key of `augment.PRESETS`.
      batch: images.
      size: pixels of both sides; three channels.
      repeats: batches that are timed.

    Raises:
      ConfigError: an unknown preset, or a number below one.
    """
    if min(batch, size, repeats) < 1:
        raise ConfigError(f"batch={batch}, size={size} and repeats={repeats} must be 1 or more")
    how = augment.preset(preset)
    images = jax.random.randint(jax.random.key(0), (batch, size, size, 3), 0, 256).astype(jnp.uint8)
    step = jax.jit(lambda key, x: augment.augment(key, x, how))
    keys = itertools.cycle(jax.random.split(jax.random.key(2), 8))
    return batch / timing.median(lambda: step(next(keys), images), repeats)
