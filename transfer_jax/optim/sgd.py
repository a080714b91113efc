"""Stochastic gradient descent with momentum."""

from __future__ import annotations

import dataclasses

import optax

from transfer_jax.optim.optimizer import Optimizer
from transfer_jax.optim.schedules import Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class SGD:
    """Options of stochastic gradient descent.

    Attributes:
      momentum: Decay of the accumulated gradient; 0 is plain SGD.
    """

    momentum: float = 0.9

    def build(self, schedule: Schedule) -> Optimizer:
        """Returns the optimiser with a learning-rate schedule."""
        direction = optax.trace(decay=self.momentum) if self.momentum else optax.identity()
        return Optimizer(direction, schedule)
