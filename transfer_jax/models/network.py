"""What all networks have in common."""

import functools
from collections.abc import Mapping

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.models.layers import BatchNorm, Norm

# The batch norms of a layout, where a family has none of its own.
NORMS: Mapping[str, Norm] = {
    "torchvision": BatchNorm,
    "keras": functools.partial(BatchNorm, momentum=0.99, epsilon=1.001e-5, unbiased=False),
}
# (logits, stages): logits [b, k], or one such array per task; stages in forward order, name -> [b, h, w, c].
Outputs = tuple[Float[Array, "b _"] | dict[str, Float[Array, "b _"]], dict[str, Array]]


class Network(nn.Module):
    """A network as a body of stages and a head.

    Attributes:
      head: module `head`, from the last stage's map to outputs.
      norm: makes the batch norms; its momentum and epsilon belong to the library that the weights come from.
      frozen: stages whose batch norms normalise by their running statistics in training, too, and leave these as they are.
    """

    head: nn.Module
    norm: Norm = BatchNorm
    frozen: tuple[str, ...] = ()

    def trains(self, stage: str, train: bool) -> bool:
        """Whether the batch norms of a stage use the batch's statistics."""
        return train and stage not in self.frozen


def choose_widths(name: str, chosen: tuple[int, ...] | None, default: tuple[int, ...] | None) -> tuple[int, ...]:
    """The widths of a network's blocks: the chosen ones where there are any.

    Args:
      name: of the network.
      chosen: by the user, or None.
      default: the network's own; None where they cannot be changed.

    Raises:
      ConfigError: the widths cannot be changed, their number is not that of the blocks, or one is not positive.
    """
    if chosen is None:
        return default or ()
    if default is None:
        raise ConfigError(f"the widths of {name} are fixed: take out widths")
    if len(chosen) != len(default) or min(chosen) < 1:
        raise ConfigError(f"widths={chosen}: {name} needs {len(default)} positive numbers, one for each block; its own are {default}")
    return chosen
