"""Settings: free Python in the config file, frozen and checked from here on.

A config file changes a `template()`, flags change it further, and `load` turns it into frozen
dataclasses. Unknown options, wrong types, and options that the chosen kind does not read are errors
that say what to do.
"""

from transfer_jax.data.config import Data
from transfer_jax.settings.checks import network
from transfer_jax.settings.chest import chest
from transfer_jax.settings.evaluation import Evaluation
from transfer_jax.settings.fine_tuning import frozen_upto, gradual, head_first, layerwise, phase
from transfer_jax.settings.loading import arm, load, plain, template
from transfer_jax.settings.pretraining import Source
from transfer_jax.settings.similarity import Similarity
from transfer_jax.settings.study import Arm, NetworkOptions, Study
from transfer_jax.train.recipe import Phase, Recipe

__all__ = [
    "Arm", "Data", "Evaluation", "NetworkOptions", "Phase", "Recipe", "Similarity", "Source",
    "Study", "arm", "chest", "frozen_upto", "gradual", "head_first", "layerwise", "load", "network",
    "phase", "plain", "template",
]  # fmt: skip
