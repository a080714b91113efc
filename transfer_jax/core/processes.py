"""The processes of a run on several hosts; in a run of one process these functions do nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class Share:
    """The share of every global batch that one process reads.

    Attributes:
      index: Which of `count` equal parts.
      count: Number of parts.
    """

    index: int = 0
    count: int = 1


def is_main() -> bool:
    """Returns whether this is the process that writes tables, weights and reports."""
    return jax.process_index() == 0


def share() -> Share:
    """Returns this process's share of every global batch."""
    return Share(jax.process_index(), jax.process_count())


def broadcast(value: Any) -> Any:
    """Returns the value of the main process, in every process.

    Args:
      value: A number or a pytree of arrays, of the same shapes in all processes.
    """
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(value)


def barrier(name: str) -> None:
    """Waits until every process has come here.

    Args:
      name: Name of the place, the same in all processes.
    """
    if jax.process_count() == 1:
        return
    from jax.experimental import multihost_utils

    multihost_utils.sync_global_devices(name)
