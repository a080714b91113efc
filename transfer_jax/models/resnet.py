"""ResNets in torchvision's form (v1.5) and in Keras' (v1).

A bottleneck's stride is on its 3x3 convolution in v1.5, on its first 1x1 convolution in v1.

Source: He et al. 2016; the layouts are those of torchvision and of keras.applications, so that
their files fit layer by layer.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.core.fusion import settle
from transfer_jax.models.layers import Conv, Norm
from transfer_jax.models.network import (
    KERAS_NORM,
    TORCHVISION,
    Layout,
    Network,
    NetworkSpec,
    Outputs,
    Widths,
)
from transfer_jax.models.pooling import max_pool

_STEM, _EXPANSION = 64, 4


class Unit(nn.Module):
    """A residual unit of two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1.

    Attributes:
      width: Number of channels; a bottleneck's last convolution has four times as many.
      stride: Stride of the unit.
      bottleneck: Whether the unit is a bottleneck.
      early_stride: Whether the stride of a bottleneck is on its first convolution, not on its
        second.
      bias: Whether convolutions have a bias.
      norm: Makes the batch norms.
    """

    width: int
    stride: int
    bottleneck: bool
    early_stride: bool
    bias: bool
    norm: Norm

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b oh ow d"]:
        width, stride = self.width, self.stride
        if self.bottleneck:
            first, second = (stride, 1) if self.early_stride else (1, stride)
            layers = [(width, 1, first), (width, 3, second), (width * _EXPANSION, 1, 1)]
        else:
            layers = [(width, 3, stride), (width, 3, 1)]
        y = x
        for i, (features, kernel, step) in enumerate(layers, start=1):
            y = Conv(features, kernel, step, bias=self.bias, name=f"conv{i}")(y)
            y = self.norm(name=f"bn{i}")(y, train)
            if i < len(layers):
                y = nn.relu(y)
        if stride != 1 or x.shape[-1] != y.shape[-1]:
            x = Conv(y.shape[-1], 1, stride, bias=self.bias, name="conv_shortcut")(x)
            x = self.norm(name="bn_shortcut")(x, train)
        return settle(nn.relu(x + y))


class Block(nn.Module):
    """A stage of residual units; the first takes the stride.

    Attributes:
      unit: Makes a `Unit` from its stride and name.
      units: Number of units.
      stride: Stride of the first unit.
    """

    unit: Callable[..., Unit]
    units: int
    stride: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b oh ow d"]:
        for i in range(1, self.units + 1):
            x = self.unit(stride=self.stride if i == 1 else 1, name=f"unit{i}")(x, train)
        return x


class ResNet(Network, kw_only=True):
    """A ResNet; stage `conv1` is the activation before the first pool.

    Attributes:
      units: Number of residual units in each of the four blocks.
      bottleneck: Whether units have three layers (ResNet-50 and up) or two.
      widths: Width of the units per block; the output of a bottleneck is four times as wide.
      keras: Whether the network has Keras' form: biases, and the stride of a bottleneck on its
        first convolution.
    """

    units: tuple[int, ...]
    bottleneck: bool
    widths: tuple[int, ...]
    keras: bool = False

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> Outputs:
        x = Conv(_STEM, 7, 2, bias=self.keras, name="conv1")(images)
        x = nn.relu(self.norm(name="bn1")(x, self.trains("conv1", train)))
        stages = OrderedDict(conv1=x)  # jit would sort the keys of a plain dict
        x = max_pool(x)
        for i, (units, width) in enumerate(zip(self.units, self.widths, strict=True), start=1):
            unit = functools.partial(
                Unit,
                width=width,
                bottleneck=self.bottleneck,
                early_stride=self.keras,
                bias=self.keras,
                norm=self.norm,
            )
            name = f"block{i}"
            x = Block(unit, units, 1 if i == 1 else 2, name=name)(x, self.trains(name, train))
            stages[name] = x
        return self.head(x, train), stages


def _build(*, layout: str, **form_and_common: Any) -> ResNet:
    return ResNet(keras=layout == "keras", **form_and_common)


_LAYOUTS = {"torchvision": TORCHVISION, "keras": Layout(norm=KERAS_NORM, normalisation="caffe")}


def _spec(
    units: tuple[int, ...], *, bottleneck: bool = True, widths: Widths = (64, 128, 256, 512)
) -> NetworkSpec:
    return NetworkSpec(
        build=functools.partial(_build, units=units, bottleneck=bottleneck),
        stages={
            "conv1": ("conv1", "bn1"),
            "block1": ("block1",),
            "block2": ("block2",),
            "block3": ("block3",),
            "block4": ("block4",),
        },
        family="resnet",
        widths=widths,
        # keras.applications has no ResNet without bottlenecks.
        layouts=_LAYOUTS if bottleneck else {"torchvision": TORCHVISION},
    )


SPECS: Mapping[str, NetworkSpec] = {
    "resnet18": _spec((2, 2, 2, 2), bottleneck=False),
    "resnet34": _spec((3, 4, 6, 3), bottleneck=False),
    "resnet50": _spec((3, 4, 6, 3)),
    "resnet101": _spec((3, 4, 23, 3)),
    "resnet152": _spec((3, 8, 36, 3)),
    # Raghu et al. 2019, section 5: as wide as the pretrained network up to block2, half as wide
    # from there on.
    "resnet50_slim": _spec((3, 4, 6, 3), widths=(64, 128, 128, 256)),
}
