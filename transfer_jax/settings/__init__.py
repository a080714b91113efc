"""Settings: free Python in the config file, frozen and checked from here on.

A config file changes a `template()`; flags change it further; `load` turns it into frozen dataclasses. Unknown options,
wrong types, and options that the chosen kind does not read are errors that say what to do.
"""

from transfer_jax.settings.checks import network
from transfer_jax.settings.chest import chest
from transfer_jax.settings.courses import frozen_upto, gradual, head_first, layerwise, phase
from transfer_jax.settings.loading import arm, load, template
from transfer_jax.settings.sections import Arm, Data, NetworkOptions, Phase, Recipe, Similarity, Source, Study

__all__ = [
    "Arm", "Data", "NetworkOptions", "Phase", "Recipe", "Similarity", "Source", "Study",
    "arm", "chest", "frozen_upto", "gradual", "head_first", "layerwise", "load", "network", "phase", "template",
]  # fmt: skip
