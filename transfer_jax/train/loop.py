"""The one training loop: every training in this package, of a source or of a study's members, runs through it."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax

from transfer_jax.core.errors import Interrupted
from transfer_jax.train.evaluate import DeviceBatch
from transfer_jax.train.interrupt import StopRequest
from transfer_jax.train.state import Member
from transfer_jax.train.step import TrainStep

_AHEAD = 2


@runtime_checkable
class Stream(Protocol):
    """Batches with a state that can be kept and put back."""

    def __next__(self) -> Any:
        """The next host batch."""

    def get_state(self) -> Any:
        """The position, after the last batch given."""

    def set_state(self, state: Any) -> None:
        """Goes back to a position."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Members that see the same batches in the same order: the arms of one repeat.

    Attributes:
      members: their names.
      stream: host batches.
      prepare: (host batch, step) -> the batch on the device, normalised and augmented once for all members.
    """

    members: tuple[str, ...]
    stream: Stream
    prepare: Callable[[Any, int], DeviceBatch]


Hook = Callable[[int, dict[str, Member]], None]


def run(
    members: dict[str, Member], groups: Sequence[Group], step: TrainStep, *, first: int, last: int, hooks: Sequence[Hook], stop: StopRequest
) -> None:
    """Takes every member from step `first` to step `last`, in place.

    Members go one after the other over the whole mesh: their steps are dispatched without waiting for the device, at most
    two rounds ahead of it. Hooks are called after every round with (rounds done, members) and may replace members.

    Raises:
      Interrupted: `stop` was requested; hooks have run for the last round done.
    """
    in_flight: collections.deque[Any] = collections.deque()
    for done in range(first, last):
        for group in groups:
            images, targets, weights = group.prepare(next(group.stream), done)
            for name in group.members:
                members[name] = step(members[name], images, targets, weights)
        # The step counter is given away with its member at the next round; an own copy can be waited for.
        in_flight.append([members[name].step + 0 for group in groups for name in group.members[-1:]])
        if len(in_flight) > _AHEAD:
            jax.block_until_ready(in_flight.popleft())
        for hook in hooks:
            hook(done + 1, members)
        if stop.requested:
            raise Interrupted(done + 1)


def every(steps: int, call: Hook, last: int | None = None) -> Hook:
    """A hook that calls another every `steps` rounds, and after round `last`."""

    def hook(done: int, members: dict[str, Member]) -> None:
        if done % steps == 0 or done == last:
            call(done, members)

    return hook


def variables(members: Mapping[str, Member]) -> dict[str, Any]:
    """Name -> variables of every member."""
    return {name: member.variables for name, member in members.items()}
