"""ResNets in the v1.5 form of torchvision: a bottleneck's stride is on its 3x3 convolution.

Source: He et al. 2016; the layout is torchvision's, so that its weight files fit layer by layer.
"""

from collections import OrderedDict

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.models.layers import BatchNorm, Conv, Head
from transfer_jax.models.pooling import max_pool

_STEM, _FIRST_WIDTH, _EXPANSION = 64, 64, 4


class Unit(nn.Module):
    """One residual unit: two 3x3 convolutions, or with `bottleneck` 1x1, 3x3 and 1x1 with four times the width at the end."""

    width: int
    stride: int
    bottleneck: bool

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b oh ow d"]:
        width, stride = self.width, self.stride
        if self.bottleneck:
            layers = [(width, 1, 1), (width, 3, stride), (width * _EXPANSION, 1, 1)]
        else:
            layers = [(width, 3, stride), (width, 3, 1)]
        y = x
        for i, (features, kernel, step) in enumerate(layers, start=1):
            y = BatchNorm(name=f"bn{i}")(Conv(features, kernel, step, name=f"conv{i}")(y), train)
            if i < len(layers):
                y = nn.relu(y)
        if stride != 1 or x.shape[-1] != y.shape[-1]:
            x = BatchNorm(name="bn_shortcut")(Conv(y.shape[-1], 1, stride, name="conv_shortcut")(x), train)
        return nn.relu(x + y)


class Block(nn.Module):
    """A stage of residual units; the first takes the stride."""

    units: int
    width: int
    stride: int
    bottleneck: bool

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b oh ow d"]:
        for i in range(1, self.units + 1):
            x = Unit(self.width, self.stride if i == 1 else 1, self.bottleneck, name=f"unit{i}")(x, train)
        return x


class ResNet(nn.Module):
    """A ResNet; stage `conv1` is the activation before the first pool.

    Attributes:
      units: residual units in each of the four blocks.
      bottleneck: three-layer units (ResNet-50 and up) instead of two-layer ones.
    """

    num_outputs: int
    units: tuple[int, int, int, int]
    bottleneck: bool

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> tuple[Float[Array, "b k"], dict[str, Array]]:
        x = nn.relu(BatchNorm(name="bn1")(Conv(_STEM, 7, 2, name="conv1")(images), train))
        stages = OrderedDict(conv1=x)  # a plain dict would lose its order under jit
        x = max_pool(x)
        for i, units in enumerate(self.units):
            name = f"block{i + 1}"
            x = Block(units, _FIRST_WIDTH * 2**i, 1 if i == 0 else 2, self.bottleneck, name=name)(x, train)
            stages[name] = x
        return Head(self.num_outputs, name="head")(x), stages


def resnet18(num_outputs: int) -> ResNet:
    """ResNet-18."""
    return ResNet(num_outputs, (2, 2, 2, 2), bottleneck=False)


def resnet34(num_outputs: int) -> ResNet:
    """ResNet-34."""
    return ResNet(num_outputs, (3, 4, 6, 3), bottleneck=False)


def resnet50(num_outputs: int) -> ResNet:
    """ResNet-50, v1.5."""
    return ResNet(num_outputs, (3, 4, 6, 3), bottleneck=True)
