"""Stages, where freezing, transfusion, analysis and figures all cut a network.

A stage is an ordered group of top-level modules of a network, batch norms included, and every
network's spec has the table of its stages. The head (and Inception's auxiliary head) is no stage:
its size belongs to the task, not to the network.
"""

import functools
from collections.abc import Collection, Mapping
from typing import Any

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.models import zoo

HEAD = "head"
AUXILIARY_HEAD = "aux_head"
HEADS = (HEAD, AUXILIARY_HEAD)


def stage_table(name: str) -> Mapping[str, tuple[str, ...]]:
    """Returns stage -> its top-level modules, in forward order and without the heads.

    Raises:
      ConfigError: There is no network `name`.
    """
    return zoo.spec(name).stages


def stage_names(name: str) -> tuple[str, ...]:
    """Returns the stages of a network in forward order, e.g. ("conv1", "block1", ..., "block4").

    Raises:
      ConfigError: There is no network `name`.
    """
    return tuple(stage_table(name))


def table_of(params: Mapping[str, object]) -> Mapping[str, tuple[str, ...]]:
    """Returns the stage table of a network that is recognised by its top-level modules.

    Raises:
      ConfigError: No network consists of exactly these modules.
    """
    modules = set(params) - set(HEADS)
    for table in map(stage_table, zoo.names()):
        if modules == {module for group in table.values() for module in group}:
            return table
    raise ConfigError(
        f"no stage table holds exactly the modules {', '.join(sorted(modules))}: add the network"
        " to models/zoo.py"
    )


def upto(table: Mapping[str, tuple[str, ...]], stage: str) -> tuple[str, ...]:
    """Returns the stages of a table from the first up to and including `stage`.

    Raises:
      ConfigError: There is no such stage.
    """
    stages = tuple(table)
    if stage not in stages:
        raise ConfigError(f"this network has no stage {stage!r}: {nearest(stage, stages)}")
    return stages[: stages.index(stage) + 1]


def stem(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the path in `params` to the kernel of the first convolution, [kh, kw, c, d]."""
    first_stage = next(iter(table_of(params).values()))
    module = first_stage[0]
    return (module, "kernel") if "kernel" in params[module] else (module, "conv", "kernel")


def first_kernel(params: Mapping[str, Any]) -> Any:
    """Returns the kernel of the first convolution, [kh, kw, c, d]."""
    return functools.reduce(lambda tree, key: tree[key], stem(params), params)


def without(variables: Mapping[str, Any], modules: Collection[str]) -> dict[str, Any]:
    """Returns `variables` without some top-level modules."""
    return {
        collection: {module: tensors for module, tensors in tree.items() if module not in modules}
        for collection, tree in variables.items()
    }


def with_first_kernel(variables: Mapping[str, Any], kernel: Any) -> Any:
    """Returns `variables` with another kernel in the first convolution."""

    def replace(tree: Any, path: tuple[str, ...]) -> Any:
        return {**tree, path[0]: replace(tree[path[0]], path[1:])} if path else kernel

    return {**variables, "params": replace(variables["params"], stem(variables["params"]))}
