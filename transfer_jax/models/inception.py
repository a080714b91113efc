"""Inception-v3, in torchvision's and in Keras' (TF-slim's) form; modules have the names of TF-slim's end points.

The forms differ in their batch norms (Keras' have no scale), in the average pools inside the blocks (at the border torchvision
counts the padding, Keras does not), and in the auxiliary head, which only torchvision's has.

Source: Szegedy et al. 2016; the layouts are those of torchvision and of keras.applications.
"""

import functools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.initializers import lecun_normal, zeros
from jaxtyping import Array, Float

from transfer_jax.models.heads import Linear
from transfer_jax.models.layers import BatchNorm, ConvNorm, Norm
from transfer_jax.models.network import Network, Outputs, choose_widths
from transfer_jax.models.pooling import avg_pool, max_pool


class Layer(NamedTuple):
    """A convolution with batch norm and ReLU, by its name in a block."""

    name: str
    features: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1


# A branch is a sequence of pools ("avg" and "max"), layers, and layers side by side; a block's branches are concatenated.
Step = str | Layer | tuple[Layer, ...]
Branches = tuple[tuple[Step, ...], ...]


def _a(pool: int) -> Branches:
    return (
        (Layer("branch1x1", 64),),
        (Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, 5)),
        (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, 3), Layer("branch3x3dbl_3", 96, 3)),
        ("avg", Layer("branch_pool", pool)),
    )


def _c(width: int) -> Branches:
    return (
        (Layer("branch1x1", 192),),
        (Layer("branch7x7_1", width), Layer("branch7x7_2", width, (1, 7)), Layer("branch7x7_3", 192, (7, 1))),
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
    (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, 3), Layer("branch3x3dbl_3", 96, 3, 2)),
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
    (Layer("branch3x3_1", 384), (Layer("branch3x3_2a", 384, (1, 3)), Layer("branch3x3_2b", 384, (3, 1)))),
    (
        Layer("branch3x3dbl_1", 448),
        Layer("branch3x3dbl_2", 384, 3),
        (Layer("branch3x3dbl_3a", 384, (1, 3)), Layer("branch3x3dbl_3b", 384, (3, 1))),
    ),
    ("avg", Layer("branch_pool", 192)),
)
# A plain `ConvNorm` is (features, kernel, stride, padded); then stage -> its blocks.
_CONVS: Mapping[str, tuple[int, int, int, bool]] = {
    "conv1a": (32, 3, 2, False),
    "conv2a": (32, 3, 1, False),
    "conv2b": (64, 3, 1, True),
    "conv3b": (80, 1, 1, True),
    "conv4a": (192, 3, 1, False),
}
_BLOCKS: Mapping[str, Mapping[str, Branches]] = {
    "mixed5": {"mixed5b": _a(32), "mixed5c": _a(64), "mixed5d": _a(64)},
    "mixed6": {"mixed6a": _B, "mixed6b": _c(128), "mixed6c": _c(160), "mixed6d": _c(160), "mixed6e": _c(192)},
    "mixed7": {"mixed7a": _D, "mixed7b": _E, "mixed7c": _E},
}


def paths() -> tuple[str, ...]:
    """The paths of all convolutions with batch norm but the auxiliary head's, in the order in which Keras builds and numbers them."""
    mixed = [(name, step) for blocks in _BLOCKS.values() for name, branches in blocks.items() for branch in branches for step in branch]
    layers = [(name, layer) for name, step in mixed for layer in ((step,) if isinstance(step, Layer) else step) if isinstance(layer, Layer)]
    return (*_CONVS, *(f"{name}/{layer.name}" for name, layer in layers))


class Mixed(nn.Module):
    """A block of parallel branches."""

    branches: Branches
    norm: Norm
    count_padding: bool

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b oh ow d"]:
        return jnp.concatenate([self._branch(branch, x, train) for branch in self.branches], axis=-1)

    def _branch(self, steps: tuple[Step, ...], x: Array, train: bool) -> Array:
        for step in steps:
            if step == "max":
                x = max_pool(x, padding=0)
            elif step == "avg":
                x = avg_pool(x, window=3, stride=1, padding=1, count_padding=self.count_padding)
            elif isinstance(step, Layer):
                x = self._layer(step, x, train)
            else:
                x = jnp.concatenate([self._layer(layer, x, train) for layer in step if isinstance(layer, Layer)], axis=-1)
        return x

    def _layer(self, layer: Layer, x: Array, train: bool) -> Array:
        # Every stride of two inside a block goes without padding, everything else with it.
        return ConvNorm(layer.features, layer.kernel, layer.stride, layer.stride == 1, self.norm, name=layer.name)(x, train)


class Auxiliary(nn.Module):
    """The auxiliary head on mixed6: a 5x5 average pool, two convolutions, a linear layer; [b, h, w, c] -> [b, num_outputs].

    The paper's 299 pixels give a pooled map of 5x5, which the second convolution takes whole. Maps of smaller images are padded
    with zeros to 5x5, where torchvision's network fails.
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


class Inception(Network, kw_only=True):
    """Inception-v3; stages end where a pool or a change of side follows.

    In training the auxiliary head's logits are sown as `logits` into the collection "auxiliary"; nothing else runs it.

    Attributes:
      aux: outputs of the auxiliary head; 0 for none.
      keras: Keras' form.
    """

    aux: int = 0
    keras: bool = False

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> Outputs:
        stages: OrderedDict[str, Array] = OrderedDict()  # a plain dict would lose its order under jit
        x = images
        for name, (features, kernel, stride, same) in _CONVS.items():
            stage = "conv1" if name == "conv1a" else "conv4"
            if name == "conv3b":
                x = max_pool(x, padding=0)
            x = ConvNorm(features, kernel, stride, same, self.norm, name=name)(x, self.trains(stage, train))
            stages[stage] = x
        x = max_pool(x, padding=0)
        for stage, blocks in _BLOCKS.items():
            for name, branches in blocks.items():
                x = Mixed(branches, self.norm, not self.keras, name=name)(x, self.trains(stage, train))
            stages[stage] = x
        if self.aux and (train or self.is_initializing()):
            logits = Auxiliary(self.aux, self.norm, name="aux_head")(stages["mixed6"], train)
            if train and not self.is_initializing():
                self.sow("auxiliary", "logits", logits)
        return self.head(x, train), stages


_NORMS: Mapping[str, Norm] = {
    "torchvision": functools.partial(BatchNorm, epsilon=1e-3),
    "keras": functools.partial(BatchNorm, momentum=0.99, epsilon=1e-3, unbiased=False, scaled=False),
}


def build(name: str, layout: str, widths: tuple[int, ...] | None, **common: Any) -> Inception:
    """Inception-v3 in the layout "torchvision" (with its auxiliary head where the head is a linear one) or "keras"."""
    choose_widths(name, widths, None)
    head = common["head"]
    aux = head.num_outputs if layout == "torchvision" and isinstance(head, Linear) else 0
    return Inception(aux=aux, keras=layout == "keras", norm=_NORMS[layout], **common)
