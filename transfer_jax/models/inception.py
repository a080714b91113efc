"""Inception-v3 in torchvision's and in Keras' (TF-slim's) form, with TF-slim's names of end points.

The forms differ in their batch norms (Keras' have no scale), in the average pools inside the
blocks (at the border torchvision counts the padding, Keras does not), and in the auxiliary head,
which only torchvision's has.

Source: Szegedy et al. 2016; the layouts are those of torchvision and of keras.applications.
"""

import functools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.models.heads import Linear
from transfer_jax.models.inception_blocks import BLOCKS, STEM, Auxiliary, Mixed
from transfer_jax.models.layers import BatchNorm, ConvNorm
from transfer_jax.models.network import Layout, Network, NetworkSpec, Outputs, Widths
from transfer_jax.models.pooling import max_pool

_STAGES: Mapping[str, tuple[str, ...]] = {
    "conv1": ("conv1a",),
    "conv4": ("conv2a", "conv2b", "conv3b", "conv4a"),
    **{stage: tuple(blocks) for stage, blocks in BLOCKS.items()},
}
_AUXILIARY_STAGE = "mixed6"


class Inception(Network, kw_only=True):
    """Inception-v3; a stage ends before a pool or a block that makes the map smaller.

    In training the logits of the auxiliary head are sown as `logits` into the collection
    "auxiliary".

    Attributes:
      aux: Number of outputs of the auxiliary head; 0 for none.
      keras: Whether average pools leave the padding out of their means, as Keras' do.
    """

    aux: int = 0
    keras: bool = False

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> Outputs:
        stages: OrderedDict[str, Array] = OrderedDict()  # jit would sort the keys of a plain dict
        x = images
        for stage in ("conv1", "conv4"):
            for name in _STAGES[stage]:
                if name == "conv3b":
                    x = max_pool(x, padding=0)
                x = ConvNorm(*STEM[name], norm=self.norm, name=name)(x, self.trains(stage, train))
            stages[stage] = x
        x = max_pool(x, padding=0)
        for stage, blocks in BLOCKS.items():
            for name, branches in blocks.items():
                x = Mixed(branches, self.norm, not self.keras, name=name)(
                    x, self.trains(stage, train)
                )
            stages[stage] = x
        if self.aux and (train or self.is_initializing()):
            logits = Auxiliary(self.aux, self.norm, name="aux_head")(
                stages[_AUXILIARY_STAGE], train
            )
            if train and not self.is_initializing():
                self.sow("auxiliary", "logits", logits)
        return self.head(x, train), stages


def _build(*, layout: str, widths: Widths, head: nn.Module, **common: Any) -> Inception:
    del widths  # they cannot be changed
    # An auxiliary head repeats a linear head; self-supervision and several tasks have none.
    aux = head.num_outputs if layout == "torchvision" and isinstance(head, Linear) else 0
    return Inception(aux=aux, keras=layout == "keras", head=head, **common)


_KERAS_NORM = functools.partial(
    BatchNorm, momentum=0.99, epsilon=1e-3, unbiased=False, scaled=False
)
SPECS: Mapping[str, NetworkSpec] = {
    "inception_v3": NetworkSpec(
        build=_build,
        stages=_STAGES,
        family="inception",
        layouts={
            "torchvision": Layout(
                norm=functools.partial(BatchNorm, epsilon=1e-3), normalisation="imagenet"
            ),
            "keras": Layout(norm=_KERAS_NORM, normalisation="minus_one_to_one"),
        },
        least_side=75,
        auxiliary_stage=_AUXILIARY_STAGE,
    )
}
