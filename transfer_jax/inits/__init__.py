"""Initialisers: pure functions (key, variables, source, **options) -> variables.

`variables` are freshly drawn for a member; `source` are pretrained variables of the same network.
The head never comes from a source: its size and its meaning belong to the task. The network is
recognised by the names of its modules (`models.table_of`). Results have the dtypes of `variables`
and, outside of `jit`, lie on a mesh as `variables` do (see `redrawing.like`).
"""

from transfer_jax.inits.copying import pretrained, transfusion
from transfer_jax.inits.gabor import gabor
from transfer_jax.inits.initialisers import (
    CHOICE,
    JOINT,
    NEEDS_SOURCE,
    build,
    chain,
    check,
    names,
    needs_source,
    options,
    parse,
)
from transfer_jax.inits.resampling import resample
from transfer_jax.inits.scaling import mean_var
from transfer_jax.inits.schemes import random

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
