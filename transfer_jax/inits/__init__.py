"""Initialisers: pure functions (key, variables, source, **options) -> variables.

`variables` are a member's own, freshly drawn; `source` are the pretrained ones, of the same network. The head is never taken
from a source: its size and its meaning belong to the task. The network is known by its modules' names (models/stages.py).
Dtypes are those of `variables`, and outside `jit` tensors lie on a mesh as theirs do (see `layers.like`).
"""

from transfer_jax.inits.chain import chain
from transfer_jax.inits.gabor import gabor
from transfer_jax.inits.pretrained import pretrained
from transfer_jax.inits.registry import CHOICE, JOINT, NEEDS_SOURCE, build, check, names, needs_source, options, parse
from transfer_jax.inits.resampling import resample
from transfer_jax.inits.scaling import mean_var
from transfer_jax.inits.schemes import random
from transfer_jax.inits.transfusion import transfusion

__all__ = [
    "CHOICE",
    "JOINT",
    "NEEDS_SOURCE",
    "build",
    "chain",
    "check",
    "gabor",
    "mean_var",
    "names",
    "needs_source",
    "options",
    "parse",
    "pretrained",
    "random",
    "resample",
    "transfusion",
]
