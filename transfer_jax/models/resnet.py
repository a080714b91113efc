"""ResNets in two forms: torchvision's (v1.5, a bottleneck's stride is on its 3x3 convolution) and Keras' (v1, on its first 1x1).

Source: He et al. 2016; the layouts are those of torchvision and of keras.applications, so that their files fit layer by layer.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.core.fusion import settle
from transfer_jax.models.layers import Conv, Norm
from transfer_jax.models.network import NORMS, Network, Outputs, choose_widths
from transfer_jax.models.pooling import max_pool

_STEM, _EXPANSION = 64, 4


class Unit(nn.Module):
    """One residual unit: two 3x3 convolutions, or with `bottleneck` 1x1, 3x3 and 1x1 with four times the width at the end.

    Attributes:
      early_stride: the stride of a bottleneck is on its first convolution, not on its second.
      bias: convolutions have one.
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
      unit: makes a `Unit` from its stride and name.
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
      units: residual units in each of the four blocks.
      bottleneck: three-layer units (ResNet-50 and up) instead of two-layer ones.
      widths: of the units in each block; a bottleneck's output is four times as wide.
      keras: Keras' form.
    """

    units: tuple[int, ...]
    bottleneck: bool
    widths: tuple[int, ...]
    keras: bool = False

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> Outputs:
        x = Conv(_STEM, 7, 2, bias=self.keras, name="conv1")(images)
        x = nn.relu(self.norm(name="bn1")(x, self.trains("conv1", train)))
        stages = OrderedDict(conv1=x)  # a plain dict would lose its order under jit
        x = max_pool(x)
        for i, (units, width) in enumerate(zip(self.units, self.widths, strict=True), start=1):
            unit = functools.partial(Unit, width=width, bottleneck=self.bottleneck, early_stride=self.keras, bias=self.keras, norm=self.norm)
            name = f"block{i}"
            x = Block(unit, units, 1 if i == 1 else 2, name=name)(x, self.trains(name, train))
            stages[name] = x
        return self.head(x, train), stages


class _Form(NamedTuple):
    units: tuple[int, ...]
    bottleneck: bool = True
    widths: tuple[int, ...] = (64, 128, 256, 512)


_FORMS: Mapping[str, _Form] = {
    "resnet18": _Form((2, 2, 2, 2), bottleneck=False),
    "resnet34": _Form((3, 4, 6, 3), bottleneck=False),
    "resnet50": _Form((3, 4, 6, 3)),
    "resnet101": _Form((3, 4, 23, 3)),
    "resnet152": _Form((3, 8, 36, 3)),
    # Raghu et al. 2019, section 5: as wide as the pretrained network up to block2, half as wide from there on.
    "resnet50_slim": _Form((3, 4, 6, 3), widths=(64, 128, 128, 256)),
}


def build(name: str, layout: str, widths: tuple[int, ...] | None, **common: Any) -> ResNet:
    """The ResNet `name` in the layout "torchvision" or "keras"."""
    form = _FORMS[name]
    widths = choose_widths(name, widths, form.widths)
    return ResNet(units=form.units, bottleneck=form.bottleneck, widths=widths, keras=layout == "keras", norm=NORMS[layout], **common)
