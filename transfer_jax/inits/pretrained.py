"""The two ends of the scale: nothing from the source, and all of it."""

from typing import Any

import jax

from transfer_jax import models


def random(key: jax.Array, variables: Any, source: Any = None) -> Any:
    """The member's own variables, as they were drawn; nothing is taken from a source."""
    del key, source
    return variables


def pretrained(key: jax.Array, variables: Any, source: Any) -> Any:
    """Everything from the source but the head."""
    del key
    return take(variables, source, tuple(models.table_of(variables["params"])))


def take(variables: Any, source: Any, stages: tuple[str, ...]) -> Any:
    """`variables` with every module of `stages` taken from `source`, parameters and statistics alike, cast to the own dtype.

    Raises:
      ValueError: a tensor of the source has another shape.
    """
    table = models.table_of(variables["params"])
    taken = {module for stage in stages for module in table[stage]}

    def cast(own: jax.Array, theirs: jax.Array) -> jax.Array:
        if own.shape != theirs.shape:
            raise ValueError(f"a tensor of the source has shape {theirs.shape} where the network has {own.shape}")
        return theirs.astype(own.dtype)

    return {
        collection: {
            module: jax.tree.map(cast, tensors, source[collection][module]) if module in taken else tensors for module, tensors in modules.items()
        }
        for collection, modules in variables.items()
    }
