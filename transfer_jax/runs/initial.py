"""First variables of a study's members, which follow from its seed and its source alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

from transfer_jax import inits, settings
from transfer_jax.core import rng
from transfer_jax.data.dataset import Dataset
from transfer_jax.settings import Arm, Study


def repeat_key(study: Study, repeat: int) -> jax.Array:
    """Returns the typed PRNG key of a repeat."""
    return jax.random.fold_in(jax.random.key(study.seed), repeat)


def initialiser(arm: Arm) -> Callable[[jax.Array, Any, Any], Any]:
    """Returns an arm's initialiser: (key, fresh variables, pretrained variables) -> variables."""
    return inits.build(arm.init, **arm.options())


def fresh_variables(
    study: Study, dataset: Dataset, key: jax.Array, network: str | None = None
) -> Any:
    """Returns freshly drawn variables of a network with a head for the task of a data set.

    Args:
      study: The study.
      dataset: The data set.
      key: Typed PRNG key.
      network: Name of the network, by default the study's.
    """
    shape = (1, dataset.manifest.height, dataset.manifest.width, dataset.channels)
    return _drawing(study, dataset.task.num_outputs, shape, network)(key)


def initial_variables(arm: Arm, key: jax.Array, fresh: Any, pretrained: Any) -> Any:
    """Returns the variables that an arm's member begins from.

    Args:
      arm: The arm.
      key: Key of the repeat.
      fresh: Fresh variables of the repeat, which all its arms share.
      pretrained: Variables of the source; None without one.
    """
    return initialiser(arm)(rng.stream(key, "initialiser"), fresh, pretrained)


def initial_of_arm(study: Study, dataset: Dataset, arm: Arm, repeat: int, pretrained: Any) -> Any:
    """Returns the variables that the member of an arm and a repeat begins from."""
    key = repeat_key(study, repeat)
    fresh = fresh_variables(study, dataset, rng.stream(key, "init"))
    return initial_variables(arm, key, fresh, pretrained)


@functools.lru_cache(maxsize=4)
def _drawing(
    study: Study, outputs: int, images: tuple[int, ...], network: str | None
) -> Callable[[jax.Array], Any]:
    """Compiled once for all repeats: compilation takes seconds."""
    module = settings.network(study, outputs, name=network)
    return jax.jit(lambda key: module.init(key, jax.numpy.zeros(images), train=False))
