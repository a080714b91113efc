"""Layers of the networks, with explicit names for every parameter."""

from collections.abc import Callable

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import variance_scaling, zeros
from jax import lax
from jaxtyping import Array, Float

from transfer_jax.models.convolution import convolve

# He et al. 2015, with the fan counted over the outputs, as in torchvision's ResNets.
he_normal = variance_scaling(2.0, "fan_out", "normal")


class Conv(nn.Module):
    """Convolution with the parameter `kernel` [kh, kw, c, features] and maybe `bias` [features].

    Attributes:
      features: Number of output channels.
      kernel: Side, or (height, width), of the kernel, pixels.
      stride: Stride of both axes.
      same: Whether to pad by (k - 1) // 2 on every side, or not at all.
      bias: Whether it has a bias.
    """

    features: int
    kernel: int | tuple[int, int]
    stride: int = 1
    same: bool = True
    bias: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b oh ow d"]:
        sides = (self.kernel, self.kernel) if isinstance(self.kernel, int) else self.kernel
        kernel = self.param("kernel", he_normal, (*sides, x.shape[-1], self.features))
        y = convolve(x, kernel, self.stride, self.same)
        return y + self.param("bias", zeros, (self.features,))[None, None, None] if self.bias else y


class BatchNorm(nn.Module):
    """Batch normalisation over all axes but the last, with the statistics of the global batch.

    Under `jit` with a sharded batch the means are over the whole batch, whatever the number of
    devices. Parameters `scale` and `bias`, statistics `mean` and `var`, all [c].

    Attributes:
      momentum: Share of the old running statistics kept at each step (PyTorch's 0.1 is 0.9 here).
      epsilon: Added to the variance.
      unbiased: Whether the running variance is the unbiased one, as in PyTorch, unlike in Keras.
      scaled: Whether it has a `scale`.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    unbiased: bool = True
    scaled: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"], train: bool) -> Float[Array, "*b c"]:
        channels = (x.shape[-1],)
        scale = (
            self.param("scale", nn.initializers.ones, channels)
            if self.scaled
            else jnp.ones(channels, x.dtype)
        )
        bias = self.param("bias", zeros, channels)
        mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        var = self.variable("batch_stats", "var", jnp.ones, channels)
        if not train:
            # Subtract the mean first: x * factor would lose the small differences of values that
            # are far from zero to rounding.
            return _affine(
                x - _last(mean.value, x.ndim),
                scale,
                bias,
                jnp.zeros_like(bias),
                var.value + self.epsilon,
            )
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        near = lax.stop_gradient(_near_mean(x))
        x = x - _last(near, x.ndim)
        axes = tuple(range(x.ndim - 1))
        batch_mean = x.mean(axes)
        # One pass over the data instead of two, see `_near_mean`. Rounding can make the difference
        # negative, hence the maximum.
        batch_var = jnp.maximum((x * x).mean(axes) - batch_mean * batch_mean, 0)
        if not self.is_initializing():
            count = x.size // x.shape[-1]
            correction = count / max(count - 1, 1) if self.unbiased else 1.0
            mean.value = self.momentum * mean.value + (1 - self.momentum) * (near + batch_mean)
            var.value = self.momentum * var.value + (1 - self.momentum) * batch_var * correction
        return _affine(x, scale, bias, batch_mean, batch_var + self.epsilon)


Norm = Callable[..., BatchNorm]


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU: modules `conv` and `bn`. The attributes are those of
    `Conv`.
    """

    features: int
    kernel: int | tuple[int, int]
    stride: int = 1
    same: bool = True
    norm: Norm = BatchNorm

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b oh ow d"]:
        y = Conv(self.features, self.kernel, self.stride, self.same, name="conv")(x)
        return nn.relu(self.norm(name="bn")(y, train))


def _near_mean(x: Float[Array, "*b c"]) -> Float[Array, " c"]:
    """Returns the mean over the middle positions of the images, which estimates the batch's mean.

    Batch norm does not change when a constant is subtracted from a channel, and in float32 one
    must be subtracted: mean(x^2) - mean(x)^2 is off by 20 % where the mean is 1,000 deviations.
    The running mean would cost nothing, but it is far off at the start of a training, and it must
    not influence a result. The middle positions are one part in h * w of the batch, so that their
    mean is at most sqrt(h * w - 1) deviations off, whatever the batch holds; mostly it is a
    fraction of one.
    """
    sample = x[(slice(None), *(size // 2 for size in x.shape[1:-1]))]
    return sample.mean(0)


def _last(per_channel: Array, ndim: int) -> Array:
    """Returns values per channel [c] in a shape that broadcasts over `ndim` axes."""
    return per_channel.reshape((1,) * (ndim - 1) + (-1,))


def _affine(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
    """Returns (x - mean) / sqrt(variance) * scale + bias with two operations per element."""
    factor = scale * lax.rsqrt(variance)
    offset = bias - mean * factor
    return x * _last(factor, x.ndim) + _last(offset, x.ndim)
