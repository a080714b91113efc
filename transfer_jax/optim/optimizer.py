"""A pure optimiser whose learning rate and weight decay are arrays, not compiled constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from transfer_jax.optim.schedules import Schedule

# Path -> tensor, for the trained parameters of a network, in one flat mapping.
Tensors = Mapping[str, Any]


class Hyper(NamedTuple):
    """Hyper-parameters that may differ between members that share a compiled step.

    Attributes:
      learning_rate: Peak learning rate, [].
      weight_decay: Factor of the L2 term, [].
    """

    learning_rate: Float[Array, ""]
    weight_decay: Float[Array, ""]


class Optimizer(NamedTuple):
    """A direction from optax with a schedule; every update is passed the hyper-parameters.

    Attributes:
      direction: Turns gradients into a direction, without a learning rate.
      schedule: Step -> factor of the learning rate.
    """

    direction: optax.GradientTransformation
    schedule: Schedule

    def init(self, params: Tensors) -> Any:
        """Returns the initial state of the optimiser for these parameters."""
        return self.direction.init(params)

    def update(
        self,
        gradients: Tensors,
        state: Any,
        params: Tensors,
        step: Array,
        hyper: Hyper,
        factors: Mapping[str, float],
    ) -> tuple[Tensors, Any]:
        """Returns the parameters and the state after one step.

        Weight decay is an L2 term added to the gradient, as in the frameworks that the four papers
        used (not the decoupled decay of AdamW).

        Args:
          gradients: Path -> gradient.
          state: State that `init` or the last update returned.
          params: Path -> trained parameter.
          step: Number of steps since the schedule began, int [].
          hyper: Hyper-parameters of the member.
          factors: Path -> factor of the learning rate, see `rates`.
        """
        gradients = jax.tree.map(lambda g, p: g + hyper.weight_decay * p, gradients, params)
        updates, state = self.direction.update(gradients, state, params)
        rate = hyper.learning_rate * self.schedule(step)
        params = {
            path: value - (rate * factors[path]) * updates[path] for path, value in params.items()
        }
        return params, state


def hyper(learning_rate: float, weight_decay: float) -> Hyper:
    """Returns hyper-parameters as float32 scalars."""
    return Hyper(jnp.float32(learning_rate), jnp.float32(weight_decay))
