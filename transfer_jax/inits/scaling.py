"""Mean-Var: the scale of pretrained weights without their features."""

from typing import Any

import jax

from transfer_jax.inits import distributions, layers
from transfer_jax.inits.batch_norm import fill


def mean_var(key: jax.Array, variables: Any, source: Any, *, batch_norm: str = "own", distribution: str = "normal") -> Any:
    """Every convolution kernel drawn anew, iid N(m, s^2) with m and s^2 the mean and variance of the pretrained tensor.

    A convolution's bias (Keras' ResNets have them) is a tensor of its own and treated as kernels are. Only two numbers of each tensor
    are read, so the network may have other widths than the source. The draw of a tensor depends on the key and its own path alone.

    Args:
      key: typed PRNG key.
      variables: freshly drawn.
      source: pretrained variables; the head may be missing.
      batch_norm: "own", "pretrained" or "mean_var", see `batch_norm.fill`. The paper's text does not say what it does with it.
      distribution: "normal" or "truncated", see `distributions.draw`.

    Raises:
      ConfigError: an unknown word, or a tensor that the source lacks.

    Source: Raghu et al. 2019, section 5, "Weight Scalings".
    """

    def draw(key: jax.Array, own: jax.Array, theirs: jax.Array) -> jax.Array:
        return distributions.draw(key, own.shape, theirs.mean(), theirs.std(), distribution)

    drawn = layers.convolutions(key, variables, source, draw, same_shape=False)
    return fill(key, drawn, source, batch_norm, distribution)
