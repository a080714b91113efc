"""The one training loop, of sources and of studies."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import jax

from transfer_jax.core.errors import Interrupted
from transfer_jax.objectives.protocol import DeviceBatch
from transfer_jax.train.interrupt import StopRequest
from transfer_jax.train.population import Population

_AHEAD = 2  # rounds


@runtime_checkable
class Stream(Protocol):
    """An endless iterator over host batches whose position can be saved and restored."""

    def __next__(self) -> Any:
        """Returns the next host batch."""

    def get_state(self) -> Any:
        """Returns the position after the last batch."""

    def set_state(self, state: Any) -> None:
        """Goes back to a position."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Members that see the same batches in the same order: the arms of one repeat.

    Attributes:
      members: Their names.
      stream: Host batches.
      prepare: (host batch, step) -> the batch on the device, normalised and augmented once for all
        members of the group.
    """

    members: tuple[str, ...]
    stream: Stream
    prepare: Callable[[Any, int], DeviceBatch]


Hook = Callable[[int, Population], None]


def run(
    population: Population,
    groups: Sequence[Group],
    *,
    first: int,
    last: int,
    hooks: Sequence[Hook],
    stop: StopRequest,
    stopped: Callable[[int], set[str]] = lambda done: set(),
) -> int:
    """Takes every member from step `first` to step `last`.

    Steps are dispatched without waiting for the device, at most two rounds ahead of it.

    Args:
      population: The members.
      groups: Groups of members that see the same batches.
      first: Number of steps that are done.
      last: Number of steps to do in all.
      hooks: Called with (rounds done, population) after every round.
      stop: Says when the user asks to stop.
      stopped: Returns the members that take no step after so many rounds. The others see the
        batches that they would have seen anyway; training ends early when no member is left.

    Returns:
      The number of steps done.

    Raises:
      Interrupted: The user asked to stop; the hooks have run for the last round.
    """
    in_flight: collections.deque[Any] = collections.deque()
    for done in range(first, last):
        gone = stopped(done)
        training = [
            (group, [name for name in group.members if name not in gone]) for group in groups
        ]
        if not any(names for _, names in training):
            return done
        for group, names in training:
            # A group that has stopped is read on, so that all positions are those of one round.
            host_batch = next(group.stream)
            if not names:
                continue
            batch = group.prepare(host_batch, done)
            for name in names:
                population.step(name, done, batch)
        # The next round donates the step counter with its member, so that a copy is waited for.
        in_flight.append([population.get(names[-1]).step + 0 for _, names in training if names])
        if len(in_flight) > _AHEAD:
            jax.block_until_ready(in_flight.popleft())
        for hook in hooks:
            hook(done + 1, population)
        if stop.requested:
            raise Interrupted(done + 1)
    return last


def every(steps: int, call: Hook, last: int | None = None) -> Hook:
    """Returns a hook that calls another hook every `steps` rounds and after round `last`."""

    def hook(done: int, population: Population) -> None:
        if done % steps == 0 or done == last:
            call(done, population)

    return hook
