"""Ablations: pretrained convolutions that keep one property of theirs and lose the rest."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from transfer_jax.inits import choices, distributions, layers
from transfer_jax.inits.batch_norm import fill


def resample(key: jax.Array, variables: Any, source: Any, *, keep: str, batch_norm: str = "own") -> Any:
    """Every convolution tensor of the source, robbed of all but one property.

    | keep | a tensor becomes | what stays |
    | --- | --- | --- |
    | "values" | shuffled | its values, as a set |
    | "filters" | shuffled within each output filter [kh, kw, c] | each filter's values, as a set, and so each filter's mean and norm |
    | "histogram" | drawn from its values, with replacement | its empirical distribution, in expectation |
    | "spectrum" | each [kh, kw] slice with random phases | each slice's amplitude spectrum and mean |
    | "scale" | drawn from N(0, mean square) | its second moment, in expectation |
    | "magnitude" | each sign drawn anew | every absolute value |

    A convolution's bias [d] (Keras' ResNets have them) is treated as a kernel [1, 1, 1, d]. "filters" then leaves it as pretrained, since it
    is one value a filter. For "spectrum" a slice of one value has no phase but its sign: here, and here alone, the sign is drawn and the mean
    not kept, since otherwise 1x1 convolutions would stay as pretrained.

    Args:
      key: typed PRNG key; each tensor has a stream of its own.
      variables: freshly drawn.
      source: pretrained variables of the same shapes; the head may be missing.
      keep: a key of `KEEP`.
      batch_norm: "own", "pretrained" or "mean_var", see `batch_norm.fill`.

    Raises:
      ConfigError: an unknown word, or a source with other tensors.

    Source: an extension of Raghu et al. 2019, section 5, which announces experiments on "weight sampling" in an appendix.
    """
    choices.check("keep", keep, KEEP)
    drawn = layers.convolutions(key, variables, source, lambda k, _, theirs: KEEP[keep](k, theirs))
    return fill(key, drawn, source, batch_norm)


def _values(key: jax.Array, tensor: jax.Array) -> jax.Array:
    return jax.random.permutation(key, tensor.ravel()).reshape(tensor.shape)


def _filters(key: jax.Array, tensor: jax.Array) -> jax.Array:
    flat = tensor.reshape(-1, tensor.shape[-1])
    return jax.random.permutation(key, flat, axis=0, independent=True).reshape(tensor.shape)


def _histogram(key: jax.Array, tensor: jax.Array) -> jax.Array:
    return tensor.ravel()[jax.random.randint(key, tensor.shape, 0, tensor.size)]


def _spectrum(key: jax.Array, tensor: jax.Array) -> jax.Array:
    if tensor.ndim < 4 or math.prod(tensor.shape[:2]) == 1:
        return _magnitude(key, tensor)
    # Phases of white noise: uniform, and with the symmetry that makes the inverse transform real.
    noise = jnp.fft.fft2(jax.random.normal(key, tensor.shape, tensor.dtype), axes=(0, 1))
    changed = jnp.fft.ifft2(jnp.abs(jnp.fft.fft2(tensor, axes=(0, 1))) * noise / jnp.abs(noise), axes=(0, 1)).real
    return changed - changed.mean((0, 1), keepdims=True) + tensor.mean((0, 1), keepdims=True)


def _scale(key: jax.Array, tensor: jax.Array) -> jax.Array:
    return distributions.draw(key, tensor.shape, 0.0, jnp.sqrt((tensor * tensor).mean()))


def _magnitude(key: jax.Array, tensor: jax.Array) -> jax.Array:
    return jnp.abs(tensor) * jax.random.rademacher(key, tensor.shape, tensor.dtype)


KEEP: Mapping[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "values": _values,
    "filters": _filters,
    "histogram": _histogram,
    "spectrum": _spectrum,
    "scale": _scale,
    "magnitude": _magnitude,
}
