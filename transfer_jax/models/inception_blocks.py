"""Inception-v3's parts: the table of its layers, its blocks of branches, and its auxiliary head.

Source: Szegedy et al. 2016; names in the blocks are torchvision's.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import lecun_normal, zeros
from jaxtyping import Array, Float

from transfer_jax.models.layers import ConvNorm, Norm
from transfer_jax.models.pooling import avg_pool, max_pool


class Layer(NamedTuple):
    """A convolution with batch norm and ReLU, and its name in a block."""

    name: str
    features: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1


# A branch is a sequence of pools ("avg" and "max"), layers, and layers side by side. The outputs of
# a block's branches are concatenated.
Step = str | Layer | tuple[Layer, ...]
Branches = tuple[tuple[Step, ...], ...]


def _a(pool: int) -> Branches:
    return (
        (Layer("branch1x1", 64),),
        (Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, 5)),
        (
            Layer("branch3x3dbl_1", 64),
            Layer("branch3x3dbl_2", 96, 3),
            Layer("branch3x3dbl_3", 96, 3),
        ),
        ("avg", Layer("branch_pool", pool)),
    )


def _c(width: int) -> Branches:
    return (
        (Layer("branch1x1", 192),),
        (
            Layer("branch7x7_1", width),
            Layer("branch7x7_2", width, (1, 7)),
            Layer("branch7x7_3", 192, (7, 1)),
        ),
        (
            Layer("branch7x7dbl_1", width),
            Layer("branch7x7dbl_2", width, (7, 1)),
            Layer("branch7x7dbl_3", width, (1, 7)),
            Layer("branch7x7dbl_4", width, (7, 1)),
            Layer("branch7x7dbl_5", 192, (1, 7)),
        ),
        ("avg", Layer("branch_pool", 192)),
    )


_B: Branches = (
    (Layer("branch3x3", 384, 3, 2),),
    (
        Layer("branch3x3dbl_1", 64),
        Layer("branch3x3dbl_2", 96, 3),
        Layer("branch3x3dbl_3", 96, 3, 2),
    ),
    ("max",),
)
_D: Branches = (
    (Layer("branch3x3_1", 192), Layer("branch3x3_2", 320, 3, 2)),
    (
        Layer("branch7x7x3_1", 192),
        Layer("branch7x7x3_2", 192, (1, 7)),
        Layer("branch7x7x3_3", 192, (7, 1)),
        Layer("branch7x7x3_4", 192, 3, 2),
    ),
    ("max",),
)
_E: Branches = (
    (Layer("branch1x1", 320),),
    (
        Layer("branch3x3_1", 384),
        (Layer("branch3x3_2a", 384, (1, 3)), Layer("branch3x3_2b", 384, (3, 1))),
    ),
    (
        Layer("branch3x3dbl_1", 448),
        Layer("branch3x3dbl_2", 384, 3),
        (Layer("branch3x3dbl_3a", 384, (1, 3)), Layer("branch3x3dbl_3b", 384, (3, 1))),
    ),
    ("avg", Layer("branch_pool", 192)),
)


class StemLayer(NamedTuple):
    """A layer before the blocks: the arguments of its `ConvNorm`."""

    features: int
    kernel: int
    stride: int = 1
    same: bool = True


STEM: Mapping[str, StemLayer] = {
    "conv1a": StemLayer(32, 3, stride=2, same=False),
    "conv2a": StemLayer(32, 3, same=False),
    "conv2b": StemLayer(64, 3),
    "conv3b": StemLayer(80, 1),
    "conv4a": StemLayer(192, 3, same=False),
}
# Stage -> its blocks.
BLOCKS: Mapping[str, Mapping[str, Branches]] = {
    "mixed5": {"mixed5b": _a(32), "mixed5c": _a(64), "mixed5d": _a(64)},
    "mixed6": {
        "mixed6a": _B,
        "mixed6b": _c(128),
        "mixed6c": _c(160),
        "mixed6d": _c(160),
        "mixed6e": _c(192),
    },
    "mixed7": {"mixed7a": _D, "mixed7b": _E, "mixed7c": _E},
}


def paths() -> tuple[str, ...]:
    """Returns the paths of all convolutions with batch norm, in the order Keras numbers them.

    Those of the auxiliary head, which Keras does not have, are left out.
    """
    steps = [
        (block, step)
        for blocks in BLOCKS.values()
        for block, branches in blocks.items()
        for branch in branches
        for step in branch
    ]
    layers = [
        (block, layer)
        for block, step in steps
        for layer in ((step,) if isinstance(step, Layer) else step)
        if isinstance(layer, Layer)  # pools are words
    ]
    return (*STEM, *(f"{block}/{layer.name}" for block, layer in layers))


class Mixed(nn.Module):
    """A block of parallel branches.

    Attributes:
      branches: The steps of every branch.
      norm: Makes the batch norms.
      count_padding: Whether average pools count the padding at the border.
    """

    branches: Branches
    norm: Norm
    count_padding: bool

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b oh ow d"]:
        return jnp.concatenate(
            [self._branch(branch, x, train) for branch in self.branches], axis=-1
        )

    def _branch(self, steps: tuple[Step, ...], x: Array, train: bool) -> Array:
        for step in steps:
            if step == "max":
                x = max_pool(x, padding=0)
            elif step == "avg":
                x = avg_pool(x, window=3, stride=1, padding=1, count_padding=self.count_padding)
            elif isinstance(step, Layer):
                x = self._layer(step, x, train)
            else:
                x = jnp.concatenate(
                    [self._layer(layer, x, train) for layer in step if isinstance(layer, Layer)],
                    axis=-1,
                )
        return x

    def _layer(self, layer: Layer, x: Array, train: bool) -> Array:
        # Inside a block, layers with a stride of two have no padding, and all others have it.
        return ConvNorm(
            layer.features,
            layer.kernel,
            layer.stride,
            layer.stride == 1,
            self.norm,
            name=layer.name,
        )(x, train)


class Auxiliary(nn.Module):
    """The auxiliary head on mixed6: a 5x5 average pool, two convolutions and a linear layer.

    Maps [b, h, w, c] to [b, num_outputs]. Images of 299 pixels, the paper's, give a pooled map of
    5x5, which the second convolution covers entirely. Maps of smaller images, with which
    torchvision's network fails, are padded with zeros to 5x5.
    """

    num_outputs: int
    norm: Norm

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b k"]:
        x = avg_pool(x, window=min(5, *x.shape[1:3]), stride=3)
        x = ConvNorm(128, 1, norm=self.norm, name="conv0")(x, train)
        missing = [max(0, 5 - side) for side in x.shape[1:3]]
        x = jnp.pad(x, ((0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)))
        x = ConvNorm(768, 5, same=False, norm=self.norm, name="conv1")(x, train).mean((1, 2))
        kernel = self.param("kernel", lecun_normal(), (x.shape[-1], self.num_outputs))
        return x @ kernel + self.param("bias", zeros, (self.num_outputs,))[None]
