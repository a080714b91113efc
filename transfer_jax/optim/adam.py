"""Adam (Kingma and Ba 2015)."""

from __future__ import annotations

import dataclasses

import optax

from transfer_jax.optim.optimizer import Optimizer
from transfer_jax.optim.schedules import Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam:
    """Options of Adam.

    Attributes:
      b1: Decay of the first moment.
      b2: Decay of the second moment.
      epsilon: Constant added to the root of the second moment.
    """

    b1: float = 0.9
    b2: float = 0.999
    epsilon: float = 1e-8

    def build(self, schedule: Schedule) -> Optimizer:
        """Returns the optimiser with a learning-rate schedule."""
        return Optimizer(optax.scale_by_adam(b1=self.b1, b2=self.b2, eps=self.epsilon), schedule)
