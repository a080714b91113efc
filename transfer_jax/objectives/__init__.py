"""Objectives: what a network is trained to minimise and what it predicts, one per file.

To add one, write a module with a frozen dataclass that implements `protocol.Objective`, and add a
line to `OBJECTIVES`. The training step, the loop and the evaluator know nothing but the protocol.
"""

from typing import Any

from transfer_jax.core import names
from transfer_jax.objectives.protocol import Aux, Forward, Needs, Objective, Predicted

__all__ = ["OBJECTIVES", "Aux", "Forward", "Needs", "Objective", "Predicted", "create"]

# Name -> "module:dataclass", imported when it is asked for.
OBJECTIVES = {
    "supervised": "transfer_jax.objectives.supervised:Supervised",
}


def create(name: str, **options: Any) -> Objective:
    """Returns an objective by its name.

    Args:
      name: Key of `OBJECTIVES`.
      **options: Fields of the objective's dataclass.

    Raises:
      ConfigError: There is no such objective.
    """
    return names.look_up("objective", name, OBJECTIVES)(**options)
