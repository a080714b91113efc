"""Mean-Var: the scale of pretrained weights without their features; and batch norms that fit it."""

import math
from typing import Annotated, Any

import jax

from transfer_jax.inits import redrawing
from transfer_jax.inits.signatures import Words, check_words

Distribution = Annotated[str, Words(("normal", "truncated"))]
# What becomes of the batch norms where convolutions are drawn anew, see `fill_batch_norms`.
BatchNorms = Annotated[str, Words(("own", "pretrained", "mean_var"))]
_CUT = 2.0
# Standard deviation of a standard normal cut off at +-2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)) =
# 0.87963.
_CUT_STD = math.sqrt(
    1 - 2 * _CUT * math.exp(-(_CUT**2) / 2) / math.sqrt(2 * math.pi) / math.erf(_CUT / math.sqrt(2))
)


@check_words
def mean_var(
    key: jax.Array,
    variables: Any,
    source: Any,
    *,
    batch_norm: BatchNorms = "own",
    distribution: Distribution = "normal",
) -> Any:
    """Draws every convolution kernel iid from N(m, s^2), with the pretrained tensor's m and s^2.

    A convolution's bias (Keras' ResNets have them) is treated like a kernel. Only two numbers per
    tensor are read, so that the network may have other widths than the source. Every tensor is
    drawn from the key and its own path alone.

    Args:
      key: Typed PRNG key.
      variables: Freshly drawn variables.
      source: Pretrained variables; the head may be missing.
      batch_norm: "own", "pretrained" or "mean_var", see `fill_batch_norms`. The paper does not say
        what it does with batch norms.
      distribution: "normal" or "truncated", see `draw`.

    Raises:
      ConfigError: An unknown word, or a tensor that the source lacks.

    Source: Raghu et al. 2019, section 5, "Weight Scalings".
    """

    def draw_like(key: jax.Array, old: jax.Array, pretrained: jax.Array) -> jax.Array:
        return draw(key, old.shape, pretrained.mean(), pretrained.std(), distribution)

    drawn = redrawing.convolutions(key, variables, source, draw_like, same_shape=False)
    return fill_batch_norms(key, drawn, source, batch_norm, distribution)


@check_words
def fill_batch_norms(
    key: jax.Array,
    variables: Any,
    source: Any,
    batch_norm: BatchNorms,
    distribution: Distribution = "normal",
) -> Any:
    """Replaces the batch norms of `variables`; convolutions and the head stay as they are.

    Args:
      key: Typed PRNG key; each tensor has a stream of its own.
      variables: Variables of the network.
      source: Pretrained variables of the same network.
      batch_norm: "own" keeps those of `variables`, which are scale 1, bias 0, mean 0 and variance 1
        where they are freshly drawn. "pretrained" takes scale, bias and running statistics of the
        source. "mean_var" draws scale and bias from the mean and variance of the source's tensor
        and keeps the running statistics of `variables` (drawn ones would belong to no data, and a
        drawn variance could be negative).
      distribution: Distribution of "mean_var", see `draw`.

    Raises:
      ConfigError: An unknown word, or a source that lacks a tensor or, for "pretrained", has it in
        another shape.
    """
    if batch_norm == "own":
        return variables
    if batch_norm == "pretrained":
        for collection in ("params", "batch_stats"):
            variables = redrawing.batch_norms(
                key, variables, source, lambda _, old, pretrained: pretrained, collection=collection
            )
        return variables

    def draw_like(key: jax.Array, old: jax.Array, pretrained: jax.Array) -> jax.Array:
        return draw(key, old.shape, pretrained.mean(), pretrained.std(), distribution)

    return redrawing.batch_norms(key, variables, source, draw_like, same_shape=False)


@check_words
def draw(
    key: jax.Array,
    shape: tuple[int, ...],
    mean: Any,
    std: Any,
    distribution: Distribution = "normal",
) -> jax.Array:
    """Draws independent values whose expected mean and variance are exactly `mean` and `std`^2.

    Args:
      key: Typed PRNG key.
      shape: Shape of the tensor.
      mean: Mean, a scalar array.
      std: Standard deviation, a scalar array of the result's dtype, not negative.
      distribution: "normal", or "truncated": a normal distribution cut off at two of its standard
        deviations and then stretched by 1 / 0.87963, which restores the variance that the cut
        removes; values stay within 2.2737 `std` of the mean.

    Raises:
      ConfigError: An unknown distribution.
    """
    if distribution == "normal":
        return mean + std * jax.random.normal(key, shape, std.dtype)
    return mean + std / _CUT_STD * jax.random.truncated_normal(key, -_CUT, _CUT, shape, std.dtype)
