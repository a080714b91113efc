"""What all networks have in common: their base class, and the facts that each states of itself."""

import dataclasses
import functools
from collections.abc import Callable, Mapping

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.models.layers import BatchNorm, Norm

# (logits, stages): logits are [b, k], or one such array per task; stages map a stage's name to its
# activation [b, h, w, c], in forward order.
Outputs = tuple[Float[Array, "b _"] | dict[str, Float[Array, "b _"]], dict[str, Array]]
Widths = tuple[int, ...]


class Network(nn.Module):
    """A network: a body of stages and a head.

    Attributes:
      head: Module `head`, which maps the last stage to outputs.
      norm: Makes the batch norms; their momentum and epsilon belong to the library of the weights.
      frozen: Stages whose batch norms use and keep their running statistics even in training.
    """

    head: nn.Module
    norm: Norm = BatchNorm
    frozen: tuple[str, ...] = ()

    def trains(self, stage: str, train: bool) -> bool:
        """Returns whether the batch norms of a stage use the statistics of the batch."""
        return train and stage not in self.frozen


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """What a library decides about a network beside the names in its weight files.

    Attributes:
      norm: Makes the batch norms with the library's momentum and epsilon.
      normalisation: Key of `core.normalisation.NAMED`: how the library normalises the images, which
        its weight files do not say.
    """

    norm: Norm
    normalisation: str


KERAS_NORM: Norm = functools.partial(BatchNorm, momentum=0.99, epsilon=1.001e-5, unbiased=False)
TORCHVISION = Layout(norm=BatchNorm, normalisation="imagenet")
_TORCHVISION_ONLY: Mapping[str, Layout] = {"torchvision": TORCHVISION}


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """The facts of one network, which the rest of the package looks up here.

    Attributes:
      build: Makes the network; called with the keywords `layout` (a key of `layouts`), `widths`,
        `head`, `norm` and `frozen`.
      stages: Stage -> its top-level modules, batch norms included, in forward order. Heads are in
        no stage.
      family: Naming family: networks of one family share the rules of `weights.naming`.
      widths: Number of channels per block; None where it cannot be changed.
      layouts: Libraries whose weight files fit: "torchvision" and perhaps "keras".
      least_side: Side of the smallest images that the network takes, pixels.
      auxiliary_stage: Stage that an auxiliary head reads; None where no layout has such a head.
    """

    build: Callable[..., Network]
    stages: Mapping[str, tuple[str, ...]]
    family: str
    widths: Widths | None = None
    layouts: Mapping[str, Layout] = dataclasses.field(default_factory=lambda: _TORCHVISION_ONLY)
    least_side: int = 32
    auxiliary_stage: str | None = None


def choose_widths(name: str, requested: Widths | None, default: Widths | None) -> Widths:
    """Returns the widths of a network's blocks: the requested ones, if any.

    Args:
      name: Name of the network, for the message.
      requested: Widths that the user asks for, or None.
      default: The network's own widths; None where they cannot be changed.

    Raises:
      ConfigError: The widths cannot be changed, their number is not that of the blocks, or one is
        not positive.
    """
    if requested is None:
        return default or ()
    if default is None:
        raise ConfigError(f"the widths of {name} are fixed: take out widths")
    if len(requested) != len(default) or min(requested) < 1:
        raise ConfigError(
            f"widths={requested}: {name} needs {len(default)} positive numbers, one per block;"
            f" by default they are {default}"
        )
    return requested
