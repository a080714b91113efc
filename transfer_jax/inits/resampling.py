"""Ablations: pretrained convolutions that keep one of their properties and lose the rest."""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from transfer_jax.inits import redrawing, scaling
from transfer_jax.inits.signatures import Words, check_words


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
    changed = jnp.fft.ifft2(
        jnp.abs(jnp.fft.fft2(tensor, axes=(0, 1))) * noise / jnp.abs(noise), axes=(0, 1)
    ).real
    return changed - changed.mean((0, 1), keepdims=True) + tensor.mean((0, 1), keepdims=True)


def _scale(key: jax.Array, tensor: jax.Array) -> jax.Array:
    return scaling.draw(key, tensor.shape, 0.0, jnp.sqrt((tensor * tensor).mean()))


def _magnitude(key: jax.Array, tensor: jax.Array) -> jax.Array:
    return jnp.abs(tensor) * jax.random.rademacher(key, tensor.shape, tensor.dtype)


# What is kept -> (key, pretrained tensor) -> new tensor of the same shape.
KEEP: Mapping[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "values": _values,
    "filters": _filters,
    "histogram": _histogram,
    "spectrum": _spectrum,
    "scale": _scale,
    "magnitude": _magnitude,
}
Keep = Annotated[str, Words(tuple(KEEP))]


@check_words
def resample(
    key: jax.Array,
    variables: Any,
    source: Any,
    *,
    keep: Keep,
    batch_norm: scaling.BatchNorms = "own",
) -> Any:
    """Destroys all but one of the properties of the source's convolution tensors.

    | keep | a tensor becomes | what stays |
    | --- | --- | --- |
    | "values" | shuffled | the set of its values |
    | "filters" | shuffled within each output filter [kh, kw, c] | values, mean, norm per filter |
    | "histogram" | drawn from its values, with replacement | its distribution, in expectation |
    | "spectrum" | each [kh, kw] slice with random phases | amplitude spectrum, mean per slice |
    | "scale" | drawn from N(0, mean square) | its second moment, in expectation |
    | "magnitude" | each sign drawn anew | every absolute value |

    A convolution's bias [d] (Keras' ResNets have them) is treated as a kernel [1, 1, 1, d].
    "filters" then leaves it as pretrained, since it has one value per filter. For "spectrum" a
    slice of one value has no phase but its sign: only there the sign is drawn and the mean not
    kept, since otherwise 1x1 convolutions would stay as pretrained.

    Args:
      key: Typed PRNG key; each tensor has a stream of its own.
      variables: Freshly drawn variables.
      source: Pretrained variables of the same shapes; the head may be missing.
      keep: A key of `KEEP`.
      batch_norm: "own", "pretrained" or "mean_var", see `scaling.fill_batch_norms`.

    Raises:
      ConfigError: An unknown word, or a source with other tensors.

    Source: An extension of Raghu et al. 2019, section 5, which announces experiments on
    "weight sampling" in an appendix.
    """
    drawn = redrawing.convolutions(
        key, variables, source, lambda k, _, pretrained: KEEP[keep](k, pretrained)
    )
    return scaling.fill_batch_norms(key, drawn, source, batch_norm)
