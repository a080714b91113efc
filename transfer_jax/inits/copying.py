"""Initialisers that copy the source: full transfer, and transfusion of the first stages."""

from typing import Any

import jax

from transfer_jax import models
from transfer_jax.core.errors import ConfigError
from transfer_jax.inits import redrawing


def pretrained(key: jax.Array, variables: Any, source: Any) -> Any:
    """Takes everything but the head from the source, batch norms included.

    Raises:
      ConfigError: The source lacks a tensor, or has it in another shape.
    """
    del key
    return take(variables, source, tuple(models.table_of(variables["params"])))


def transfusion(key: jax.Array, variables: Any, source: Any, *, upto: str) -> Any:
    """Takes every stage from the first to `upto` from the source, batch norms included.

    Only these stages must have the source's shapes: resnet50_slim, which is half as wide from
    block3 on, can take the stages up to block2 from a ResNet-50.

    Raises:
      ConfigError: The network has no stage `upto`, or the source does not fit that far; the message
        says up to which stage it fits.

    Source: Raghu et al. 2019, section 5, Figures 7 and 8.
    """
    del key
    return take(variables, source, models.upto(models.table_of(variables["params"]), upto))


def take(variables: Any, source: Any, stages: tuple[str, ...]) -> Any:
    """Returns `variables` with every module of some stages taken from `source`.

    Parameters and running statistics are both taken, and cast to the dtypes of `variables`.

    Raises:
      ConfigError: The source lacks a tensor, or has it in another shape.
    """
    table = models.table_of(variables["params"])
    # Parameters first, so that the message about what does not fit names one of them.
    collections = sorted(variables, key=lambda collection: collection != "params")
    previous = None
    for stage in stages:
        advice = (
            f"upto={previous!r} is as far as this source fits (transfusion)"
            if previous
            else "not even the first stage fits this source"
        )
        for module in table[stage]:
            taken = {
                collection: _module(
                    collection, module, variables[collection], source[collection], advice
                )
                for collection in collections
                if module in variables[collection]
            }
            variables = {
                collection: (
                    {**modules, module: taken[collection]} if collection in taken else modules
                )
                for collection, modules in variables.items()
            }
        previous = stage
    return variables


def _module(collection: str, module: str, network: Any, source: Any, advice: str) -> Any:
    """Returns one module of the source's collection, in the dtypes of the network's."""
    old_tensors, new_tensors = network[module], source.get(module)
    if _paths(new_tensors) != _paths(old_tensors):
        raise ConfigError(
            f"the source does not have the same tensors in {collection}/{module} as the network:"
            " it is another network, or another layout"
        )

    def take_tensor(path: Any, old: jax.Array, pretrained: jax.Array) -> jax.Array:
        where = "/".join((collection, module, *(part.key for part in path)))
        redrawing.check_shape(
            where, old, pretrained, f"{advice}; or take a source of the same widths and channels"
        )
        return redrawing.like(old, pretrained)

    return jax.tree_util.tree_map_with_path(take_tensor, old_tensors, new_tensors)


def _paths(tree: Any) -> list[Any]:
    return [path for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
