"""What follows the last stage: from a feature map to outputs. A head's size belongs to the task, not to the network."""

from collections.abc import Mapping

from flax import linen as nn
from flax.linen.initializers import lecun_normal, zeros
from jaxtyping import Array, Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.models.layers import BatchNorm


class Linear(nn.Module):
    """Global average over space, dropout, linear layer: [b, h, w, c] -> [b, k].

    Attributes:
      num_outputs: k.
      dropout: share of the features set to zero in training (Juodelyte 2023: 0.5); reads the rng "dropout".
    """

    num_outputs: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b k"]:
        features = _features(x, self.dropout, train)
        kernel = self.param("kernel", lecun_normal(), (features.shape[-1], self.num_outputs))
        return features @ kernel + self.param("bias", zeros, (self.num_outputs,))[None]


class Several(nn.Module):
    """One linear layer for each of several tasks on the same features: [b, h, w, c] -> {name: [b, k]}.

    Attributes:
      outputs: pairs of a task's name, which is its layer's module, and its number of outputs.
      dropout: as in `Linear`, drawn once for all tasks.
    """

    outputs: tuple[tuple[str, int], ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> dict[str, Float[Array, "b _"]]:
        features = _features(x, self.dropout, train)
        return {name: nn.Dense(k, name=name)(features) for name, k in self.outputs}


class Projector(nn.Module):
    """Linear layers with batch norm and ReLU between them, without biases: what self-supervision compares.

    Attributes:
      num_outputs: k, the last layer's width.
      hidden: the widths before it (Barlow Twins and VICReg: 8192, 8192, and 8192 outputs).
      dropout: as in `Linear`.

    Source: Zbontar et al. 2021, section 3.1.
    """

    num_outputs: int
    hidden: tuple[int, ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b k"]:
        z = _features(x, self.dropout, train)
        for i, width in enumerate(self.hidden, start=1):
            z = nn.relu(BatchNorm(name=f"bn{i}")(nn.Dense(width, use_bias=False, name=f"dense{i}")(z), train))
        return nn.Dense(self.num_outputs, use_bias=False, name=f"dense{len(self.hidden) + 1}")(z)


def _features(x: Array, dropout: float, train: bool) -> Array:
    """Mean over space, with dropout."""
    pooled = x.mean((1, 2))
    return nn.Dropout(dropout, deterministic=not train, name="dropout")(pooled) if dropout else pooled


def build(num_outputs: int | Mapping[str, int], dropout: float, hidden: tuple[int, ...]) -> Linear | Several | Projector:
    """The head that `models.create` describes.

    Raises:
      ConfigError: numbers out of range, or a head of several tasks with hidden layers.
    """
    several = tuple(num_outputs.items()) if isinstance(num_outputs, Mapping) else ()
    if min([k for _, k in several] if isinstance(num_outputs, Mapping) else [num_outputs], default=0) < 1:
        raise ConfigError(f"num_outputs={num_outputs}: a head needs at least one output")
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout={dropout} must lie in [0, 1)")
    if min(hidden, default=1) < 1:
        raise ConfigError(f"hidden={hidden}: widths must be positive")
    if not isinstance(num_outputs, Mapping):
        return Projector(num_outputs, hidden, dropout) if hidden else Linear(num_outputs, dropout)
    if hidden:
        raise ConfigError(
            f"a head of several tasks ({', '.join(num_outputs)}) has no hidden layers: take out hidden, or give num_outputs as a number"
        )
    return Several(several, dropout)
