"""Adam and SGD from optax, with learning rate and weight decay as leaves of the state instead of constants of the program."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.optim import schedules

# Path -> tensor: what is trained of a network, in one flat mapping.
Tensors = Mapping[str, Any]


class Hyper(NamedTuple):
    """What may differ between members that share a compiled step; scalars of shape []."""

    learning_rate: Float[Array, ""]
    weight_decay: Float[Array, ""]


class Optimizer(NamedTuple):
    """A pure optimiser: a direction from optax, a schedule, and hyper-parameters given at every call."""

    direction: optax.GradientTransformation
    schedule: schedules.Schedule

    def init(self, params: Tensors) -> Any:
        """The state of the optimiser for `params`."""
        return self.direction.init(params)

    def update(self, gradients: Tensors, state: Any, params: Tensors, step: Array, hyper: Hyper, factors: Mapping[str, float]) -> tuple[Tensors, Any]:
        """New `(params, state)` after the gradients of step `step` (int, [], from 0).

        Weight decay is an L2 term added to the gradient, as in the frameworks the four papers used (not AdamW's).

        Args:
          gradients: path -> gradient.
          state: from `init` or the last update.
          params: path -> parameter, those that are trained.
          step: since the schedule began.
          hyper: of the member.
          factors: path -> factor of the learning rate.
        """
        gradients = jax.tree.map(lambda g, p: g + hyper.weight_decay * p, gradients, params)
        updates, state = self.direction.update(gradients, state, params)
        rate = hyper.learning_rate * self.schedule(step)
        return {path: value - (rate * factors[path]) * updates[path] for path, value in params.items()}, state


def build(name: str, *, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8, momentum: float = 0.9, schedule: schedules.Schedule) -> Optimizer:
    """The optimiser `name`: "adam" (reads b1, b2, epsilon) or "sgd" (reads momentum; 0 is plain SGD).

    Raises:
      ConfigError: no such optimiser.
    """
    if name == "adam":
        return Optimizer(optax.scale_by_adam(b1=b1, b2=b2, eps=epsilon), schedule)
    if name == "sgd":
        return Optimizer(optax.trace(decay=momentum) if momentum else optax.identity(), schedule)
    raise ConfigError(f"unknown optimizer {name!r}: {nearest(name, ('adam', 'sgd'))}")


def hyper(learning_rate: float, weight_decay: float) -> Hyper:
    """Hyper-parameters as float32 scalars."""
    return Hyper(jnp.float32(learning_rate), jnp.float32(weight_decay))
