"""Everything from the source, and what transfusion shares with it."""

from typing import Any

import jax

from transfer_jax import models
from transfer_jax.core.errors import ConfigError
from transfer_jax.inits import layers


def pretrained(key: jax.Array, variables: Any, source: Any) -> Any:
    """Everything from the source but the head.

    Raises:
      ConfigError: a tensor of the source has another shape, or is not there.
    """
    del key
    return take(variables, source, tuple(models.table_of(variables["params"])))


def take(variables: Any, source: Any, stages: tuple[str, ...]) -> Any:
    """`variables` with every module of `stages` taken from `source`, parameters and statistics alike, cast to the own dtype.

    Raises:
      ConfigError: a tensor of the source has another shape, or is not there.
    """
    table = models.table_of(variables["params"])
    collections = sorted(variables, key=lambda collection: collection != "params")  # of what does not fit, parameters are named first
    before = None
    for stage in stages:
        advice = f"upto={before!r} is as far as this source fits (transfusion)" if before else "not even the first stage fits this source"
        for module in table[stage]:
            taken = {c: _module(c, module, variables[c], source[c], advice) for c in collections if module in variables[c]}
            variables = {c: {**modules, module: taken[c]} if c in taken else modules for c, modules in variables.items()}
        before = stage
    return variables


def _module(collection: str, module: str, own: Any, source: Any, advice: str) -> Any:
    """One module of the source, in the own dtypes."""
    theirs = source.get(module)
    if _paths(theirs) != _paths(own[module]):
        raise ConfigError(f"the source has not the same tensors in {collection}/{module} as the network: it is another network, or another layout")

    def one(path: Any, own: jax.Array, theirs: jax.Array) -> jax.Array:
        where = "/".join((collection, module, *(part.key for part in path)))
        layers.check_shape(where, own, theirs, f"{advice}; or take a source of the same widths and channels")
        return layers.like(own, theirs)

    return jax.tree_util.tree_map_with_path(one, own[module], theirs)


def _paths(tree: Any) -> list[Any]:
    return [path for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
