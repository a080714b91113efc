"""The two ends of the scale: nothing from the source, and all of it."""

from typing import Any

import jax

from transfer_jax import models
from transfer_jax.core.errors import ConfigError


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
      ConfigError: a tensor of the source has another shape, or is not there.
    """
    table = models.table_of(variables["params"])
    taken = {module for stage in stages for module in table[stage]}

    def cast(path: Any, own: jax.Array, theirs: jax.Array) -> jax.Array:
        if own.shape != theirs.shape:
            where = "/".join(str(p.key) for p in path)
            raise ConfigError(
                f"{where} has shape {theirs.shape} in the source and {own.shape} in the network: take fewer stages from it (transfusion with upto), "
                "or a source of the same widths and channels"
            )
        return theirs.astype(own.dtype)

    def merge(collection: str, module: str, tensors: Any) -> Any:
        if module not in taken:
            return tensors
        theirs = source[collection].get(module)
        if _paths(theirs) != _paths(tensors):
            raise ConfigError(
                f"the source has not the same tensors in {collection}/{module} as the network: it is another network, or another layout"
            )
        return jax.tree_util.tree_map_with_path(cast, {collection: {module: tensors}}, {collection: {module: theirs}})[collection][module]

    return {
        collection: {module: merge(collection, module, tensors) for module, tensors in modules.items()} for collection, modules in variables.items()
    }


def _paths(tree: Any) -> list[Any]:
    return [path for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
