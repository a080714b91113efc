"""Optimisers whose hyper-parameters are arrays, so that members of a study share compiled steps.

Every optimiser is a frozen dataclass of its options with a `build(schedule)`, in a file of its
own. To add one, write such a file and add a line to `KINDS`.
"""

from typing import Any

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.optim.adam import Adam
from transfer_jax.optim.optimizer import Hyper, Optimizer, hyper
from transfer_jax.optim.schedules import Schedule
from transfer_jax.optim.sgd import SGD

__all__ = ["KINDS", "SGD", "Adam", "Hyper", "Optimizer", "build", "hyper"]

KINDS: dict[str, type] = {"adam": Adam, "sgd": SGD}


def build(name: str, *, schedule: Schedule, **options: Any) -> Optimizer:
    """Returns an optimiser by its name.

    Args:
      name: Key of `KINDS`.
      schedule: Learning-rate schedule.
      **options: Fields of the optimiser's dataclass.

    Raises:
      ConfigError: There is no such optimiser.
    """
    if name not in KINDS:
        raise ConfigError(f"unknown optimizer {name!r}: {nearest(name, KINDS)}")
    optimizer: Optimizer = KINDS[name](**options).build(schedule)
    return optimizer
