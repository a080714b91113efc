"""Heads, which map the last stage to outputs; their size belongs to the task, not the network."""

from collections.abc import Mapping

from flax import linen as nn
from flax.linen.initializers import lecun_normal, zeros
from jaxtyping import Array, Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.models.layers import BatchNorm


class Linear(nn.Module):
    """Mean over space, dropout and a linear layer: [b, h, w, c] -> [b, k].

    Attributes:
      num_outputs: Number of outputs, k.
      dropout: Share of the features that training sets to zero (Juodelyte 2023: 0.5), drawn from
        the rng "dropout".
    """

    num_outputs: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b k"]:
        features = _features(x, self.dropout, train)
        kernel = self.param("kernel", lecun_normal(), (features.shape[-1], self.num_outputs))
        return features @ kernel + self.param("bias", zeros, (self.num_outputs,))[None]


class Several(nn.Module):
    """One linear layer per task on the same features: [b, h, w, c] -> {name: [b, k]}.

    Attributes:
      outputs: (name, number of outputs) per task; the name is also that of the layer's module.
      dropout: See `Linear`; drawn once for all tasks.
    """

    outputs: tuple[tuple[str, int], ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> dict[str, Float[Array, "b _"]]:
        features = _features(x, self.dropout, train)
        return {name: nn.Dense(k, name=name)(features) for name, k in self.outputs}


class Projector(nn.Module):
    """Linear layers without biases, with batch norm and ReLU between them, for self-supervision.

    Attributes:
      num_outputs: Width of the last layer, k.
      hidden: Widths of the layers before it (Barlow Twins and VICReg: 8192 and 8192, with 8192
        outputs).
      dropout: See `Linear`.

    Source: Zbontar et al. 2021, section 3.1.
    """

    num_outputs: int
    hidden: tuple[int, ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b k"]:
        z = _features(x, self.dropout, train)
        for i, width in enumerate(self.hidden, start=1):
            z = nn.Dense(width, use_bias=False, name=f"dense{i}")(z)
            z = nn.relu(BatchNorm(name=f"bn{i}")(z, train))
        return nn.Dense(self.num_outputs, use_bias=False, name=f"dense{len(self.hidden) + 1}")(z)


def _features(x: Array, dropout: float, train: bool) -> Array:
    """Returns the mean over space [b, c], with dropout."""
    pooled = x.mean((1, 2))
    if not dropout:
        return pooled
    return nn.Dropout(dropout, deterministic=not train, name="dropout")(pooled)


def build(
    num_outputs: int | Mapping[str, int], dropout: float, hidden: tuple[int, ...]
) -> Linear | Several | Projector:
    """Returns a head.

    Args:
      num_outputs: Number of outputs, or task -> number of outputs for one linear layer per task.
      dropout: Share of the features that training sets to zero.
      hidden: Widths of the layers before the outputs, which make the head a projector.

    Raises:
      ConfigError: Numbers are out of range, or a head of several tasks has hidden layers.
    """
    numbers = num_outputs.values() if isinstance(num_outputs, Mapping) else [num_outputs]
    if min(numbers, default=0) < 1:
        raise ConfigError(f"num_outputs={num_outputs}: a head needs at least one output")
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout={dropout} must lie in [0, 1)")
    if min(hidden, default=1) < 1:
        raise ConfigError(f"hidden={hidden}: widths must be positive")
    if not isinstance(num_outputs, Mapping):
        return Projector(num_outputs, hidden, dropout) if hidden else Linear(num_outputs, dropout)
    if hidden:
        raise ConfigError(
            f"a head of several tasks ({', '.join(num_outputs)}) has no hidden layers: take out"
            " hidden, or give num_outputs as a number"
        )
    return Several(tuple(num_outputs.items()), dropout)
