"""The layers that the networks are made of, with explicit names for every parameter."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import variance_scaling, zeros
from jaxtyping import Array, Float

from transfer_jax.models.convolution import convolve

# He et al. 2015, counted over the outputs as in torchvision's ResNets.
he_normal = variance_scaling(2.0, "fan_out", "normal")


class Conv(nn.Module):
    """Convolution without bias, padded by (k - 1) // 2; parameter `kernel` [k, k, c, features]."""

    features: int
    kernel: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b oh ow d"]:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        return convolve(x, self.param("kernel", he_normal, shape), self.stride)


class BatchNorm(nn.Module):
    """Batch normalisation over all axes but the last, with the statistics of the global batch.

    Under `jit` with a sharded batch the means below are over the whole batch, whatever the number of devices. Parameters
    `scale` and `bias`, statistics `mean` and `var`, all [c]. As in PyTorch, the running variance is the unbiased one.

    Attributes:
      momentum: share of the old running statistics kept at each step (PyTorch's 0.1 is 0.9 here).
      epsilon: added to the variance.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h w c"]:
        channels = (x.shape[-1],)
        scale, bias = self.param("scale", nn.initializers.ones, channels), self.param("bias", zeros, channels)
        mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        var = self.variable("batch_stats", "var", jnp.ones, channels)
        if not train:
            return _affine(x, scale, bias, mean.value, var.value + self.epsilon)
        axes = tuple(range(x.ndim - 1))
        batch_mean = x.mean(axes)
        # One pass over the data instead of two; clipped, since the difference can round below zero.
        batch_var = jnp.maximum((x * x).mean(axes) - batch_mean * batch_mean, 0)
        if not self.is_initializing():
            count = x.size // x.shape[-1]
            mean.value = self.momentum * mean.value + (1 - self.momentum) * batch_mean
            var.value = self.momentum * var.value + (1 - self.momentum) * batch_var * (count / max(count - 1, 1))
        return _affine(x, scale, bias, batch_mean, batch_var + self.epsilon)


def _affine(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
    """(x - mean) / sqrt(variance) * scale + bias as one multiplication and one addition per element; the rest is [c]."""
    factor = scale * jax.lax.rsqrt(variance)
    offset = bias - mean * factor
    last = (1,) * (x.ndim - 1) + (-1,)
    return x * factor.reshape(last) + offset.reshape(last)


class Head(nn.Module):
    """Global average over space, then a linear layer: [b, h, w, c] -> [b, num_outputs]."""

    num_outputs: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.num_outputs))
        return x.mean((1, 2)) @ kernel + self.param("bias", zeros, (self.num_outputs,))[None]
