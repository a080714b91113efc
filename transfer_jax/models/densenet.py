"""DenseNet-121 in torchvision's and in Keras' form.

The forms differ in their batch norms and in where the last stage ends.

Source: Huang et al. 2017; the layouts are those of torchvision and of keras.applications.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

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
from transfer_jax.models.pooling import avg_pool, max_pool

_STEM, _GROWTH, _BOTTLENECK = 64, 32, 4
_UNITS = (6, 12, 24, 16)


class Unit(nn.Module):
    """A dense unit: batch norm, ReLU, 1x1, batch norm, ReLU, 3x3.

    Its 32 output channels are appended to those of its input.
    """

    norm: Norm

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h w d"]:
        y = nn.relu(self.norm(name="bn1")(x, train))
        y = Conv(_BOTTLENECK * _GROWTH, 1, name="conv1")(y)
        y = nn.relu(self.norm(name="bn2")(y, train))
        return jnp.concatenate([x, Conv(_GROWTH, 3, name="conv2")(y)], axis=-1)


class Block(nn.Module):
    """A stage of dense units."""

    units: int
    norm: Norm

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h w d"]:
        for i in range(1, self.units + 1):
            x = Unit(self.norm, name=f"unit{i}")(x, train)
        return x


class Transition(nn.Module):
    """Halves the number of channels and the sides of the map."""

    norm: Norm

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b oh ow d"]:
        y = nn.relu(self.norm(name="bn")(x, train))
        return avg_pool(Conv(x.shape[-1] // 2, 1, name="conv")(y), window=2, stride=2)


class DenseNet(Network, kw_only=True):
    """DenseNet-121.

    A transition belongs to the stage of the block after it: a block's stage ends before the next
    transition.

    Attributes:
      keras: Whether stage `norm5` is the activation after the last ReLU, as in Keras, or the map
        before it, as in torchvision's `features`.
    """

    keras: bool = False

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> Outputs:
        x = Conv(_STEM, 7, 2, name="conv1")(images)
        x = nn.relu(self.norm(name="bn1")(x, self.trains("conv1", train)))
        stages = OrderedDict(conv1=x)  # jit would sort the keys of a plain dict
        x = max_pool(x)
        for i, units in enumerate(_UNITS, start=1):
            name = f"block{i}"
            if i > 1:
                x = Transition(self.norm, name=f"transition{i - 1}")(x, self.trains(name, train))
            x = Block(units, self.norm, name=name)(x, self.trains(name, train))
            stages[name] = x
        x = self.norm(name="norm5")(x, self.trains("norm5", train))
        activated = nn.relu(x)
        stages["norm5"] = activated if self.keras else x
        return self.head(activated, train), stages


def _build(*, layout: str, widths: Widths, **common: Any) -> DenseNet:
    del widths  # they cannot be changed
    return DenseNet(keras=layout == "keras", **common)


SPECS: Mapping[str, NetworkSpec] = {
    "densenet121": NetworkSpec(
        build=_build,
        stages={
            "conv1": ("conv1", "bn1"),
            "block1": ("block1",),
            "block2": ("transition1", "block2"),
            "block3": ("transition2", "block3"),
            "block4": ("transition3", "block4"),
            "norm5": ("norm5",),
        },
        family="densenet",
        layouts={
            "torchvision": TORCHVISION,
            "keras": Layout(norm=KERAS_NORM, normalisation="imagenet"),
        },
    )
}
