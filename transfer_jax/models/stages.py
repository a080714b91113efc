"""The one table of stages: freezing, transfusion, analysis and plots all cut a network at the same places.

A stage is an ordered group of top-level modules of a network. Its batch norms belong to it. What follows the last stage (and
Inception's auxiliary head) is no stage: its size belongs to the task, not to the network.
"""

import functools
from collections.abc import Collection, Mapping
from typing import Any

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

HEAD = "head"
HEADS = (HEAD, "aux_head")
_RESNET: Mapping[str, tuple[str, ...]] = {
    "conv1": ("conv1", "bn1"),
    "block1": ("block1",),
    "block2": ("block2",),
    "block3": ("block3",),
    "block4": ("block4",),
}
_DENSENET: Mapping[str, tuple[str, ...]] = {
    "conv1": ("conv1", "bn1"),
    "block1": ("block1",),
    "block2": ("transition1", "block2"),
    "block3": ("transition2", "block3"),
    "block4": ("transition3", "block4"),
    "norm5": ("norm5",),
}
_INCEPTION: Mapping[str, tuple[str, ...]] = {
    "conv1": ("conv1a",),
    "conv4": ("conv2a", "conv2b", "conv3b", "conv4a"),
    "mixed5": ("mixed5b", "mixed5c", "mixed5d"),
    "mixed6": ("mixed6a", "mixed6b", "mixed6c", "mixed6d", "mixed6e"),
    "mixed7": ("mixed7a", "mixed7b", "mixed7c"),
}


def _cbr(depth: int) -> Mapping[str, tuple[str, ...]]:
    return {f"conv{i}": (f"conv{i}", f"bn{i}") for i in range(1, depth + 1)}


_TABLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "resnet18": _RESNET,
    "resnet34": _RESNET,
    "resnet50": _RESNET,
    "resnet101": _RESNET,
    "resnet152": _RESNET,
    "resnet50_slim": _RESNET,
    "inception_v3": _INCEPTION,
    "densenet121": _DENSENET,
    "cbr_larget": _cbr(5),
    "cbr_largew": _cbr(4),
    "cbr_small": _cbr(4),
    "cbr_tiny": _cbr(4),
}


def stage_table(name: str) -> Mapping[str, tuple[str, ...]]:
    """Stage -> its top-level modules, in forward order, for the network `name`; the head is not in it."""
    if name not in _TABLES:
        raise ConfigError(f"unknown network {name!r}: {nearest(name, _TABLES)}")
    return _TABLES[name]


def stage_names(name: str) -> tuple[str, ...]:
    """The stages of the network `name` in forward order, e.g. `("conv1", "block1", "block2", "block3", "block4")`."""
    return tuple(stage_table(name))


def table_of(params: Mapping[str, object]) -> Mapping[str, tuple[str, ...]]:
    """The stage table that fits a network's parameters, found by the names of their top-level modules.

    Raises:
      ConfigError: no table holds exactly these modules.
    """
    modules = set(params) - set(HEADS)
    for table in _TABLES.values():
        if modules == {module for group in table.values() for module in group}:
            return table
    raise ConfigError(f"no stage table holds exactly the modules {', '.join(sorted(modules))}: add the network to models/stages.py")


def upto(table: Mapping[str, tuple[str, ...]], stage: str) -> tuple[str, ...]:
    """The stages of `table` from the first to `stage`, included.

    Raises:
      ConfigError: there is no such stage.
    """
    stages = tuple(table)
    if stage not in stages:
        raise ConfigError(f"this network has no stage {stage!r}: {nearest(stage, stages)}")
    return stages[: stages.index(stage) + 1]


def stem(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The path in `params` to the kernel of the first convolution, [kh, kw, c, d]."""
    module = next(iter(next(iter(table_of(params).values()))))
    return (module, "kernel") if "kernel" in params[module] else (module, "conv", "kernel")


def first_kernel(params: Mapping[str, Any]) -> Any:
    """The kernel of the first convolution, [kh, kw, c, d]."""
    return functools.reduce(lambda tree, key: tree[key], stem(params), params)


def without(variables: Mapping[str, Any], modules: Collection[str]) -> dict[str, Any]:
    """`variables` without these top-level modules."""
    return {collection: {m: tensors for m, tensors in tree.items() if m not in modules} for collection, tree in variables.items()}


def with_first_kernel(variables: Mapping[str, Any], kernel: Any) -> Any:
    """`variables` with another kernel in the first convolution."""

    def replace(tree: Any, path: tuple[str, ...]) -> Any:
        return {**tree, path[0]: replace(tree[path[0]], path[1:])} if path else kernel

    return {**variables, "params": replace(variables["params"], stem(variables["params"]))}
