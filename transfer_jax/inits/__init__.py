"""Initialisers: pure functions (key, variables, source, **options) -> variables.

`variables` are a member's own, freshly drawn; `source` are the pretrained ones, of the same network. The head is never taken
from a source: its size and its meaning belong to the task. The network is known by its modules' names (models/stages.py).
"""

from transfer_jax.inits.pretrained import pretrained, random
from transfer_jax.inits.registry import NEEDS_SOURCE, build, names, options
from transfer_jax.inits.scaling import mean_var
from transfer_jax.inits.transfusion import transfusion

__all__ = ["NEEDS_SOURCE", "build", "mean_var", "names", "options", "pretrained", "random", "transfusion"]
