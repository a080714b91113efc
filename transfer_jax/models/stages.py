"""The one table of stages: freezing, transfusion, analysis and plots all cut a network at the same places.

A stage is an ordered group of top-level modules of a network. Its batch norms belong to it. What follows the last stage is
the head, which is no stage of its own: its size belongs to the task, not to the network.
"""

from collections.abc import Mapping

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

HEAD = "head"
_RESNET: Mapping[str, tuple[str, ...]] = {
    "conv1": ("conv1", "bn1"),
    "block1": ("block1",),
    "block2": ("block2",),
    "block3": ("block3",),
    "block4": ("block4",),
}


def _cbr(depth: int) -> Mapping[str, tuple[str, ...]]:
    return {f"conv{i}": (f"conv{i}", f"bn{i}") for i in range(1, depth + 1)}


_TABLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "resnet18": _RESNET,
    "resnet34": _RESNET,
    "resnet50": _RESNET,
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
    modules = set(params) - {HEAD}
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
