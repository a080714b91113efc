"""The one training loop: every training in this package, of a source or of a study's members, runs through it."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
from jaxtyping import Array

from transfer_jax.core.errors import Interrupted
from transfer_jax.train.evaluate import DeviceBatch
from transfer_jax.train.interrupt import StopRequest
from transfer_jax.train.state import Member

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


@runtime_checkable
class Program(Protocol):
    """What a member does at a step; `phases.Program` is one."""

    def step(self, member: Member, done: int, images: Array, targets: Array, weights: Array) -> Member:
        """The member one step further, after `done` steps."""


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
    members: dict[str, Member],
    groups: Sequence[Group],
    programs: Mapping[str, Program],
    *,
    first: int,
    last: int,
    hooks: Sequence[Hook],
    stop: StopRequest,
    stopped: Callable[[], set[str]] = set,
) -> int:
    """Takes every member from step `first` to step `last`, in place.

    Members go one after the other over the whole mesh: their steps are dispatched without waiting for the device, at most
    two rounds ahead of it. Hooks are called after every round with (rounds done, members) and may replace members.

    Args:
      members: name -> state.
      groups: of members that see the same batches.
      programs: what each member does at a step.
      first: steps that are done.
      last: steps that are to be done.
      hooks: called after every round.
      stop: the user's.
      stopped: the members that are not trained any more; the others see the batches that they would have seen. Without any left it ends.

    Returns:
      The steps that are done.

    Raises:
      Interrupted: `stop` was requested; hooks have run for the last round done.
    """
    in_flight: collections.deque[Any] = collections.deque()
    for done in range(first, last):
        going = [(group, [name for name in group.members if name not in stopped()]) for group in groups]
        if not any(names for _, names in going):
            return done
        for group, names in going:
            batch = next(group.stream)  # of a group that has stopped, too, so that all positions are that of the round
            prepared = group.prepare(batch, done) if names else ()
            for name in names:
                members[name] = programs[name].step(members[name], done, *prepared)
        # The step counter is given away with its member at the next round; an own copy can be waited for.
        in_flight.append([members[name].step + 0 for _, names in going for name in names[-1:]])
        if len(in_flight) > _AHEAD:
            jax.block_until_ready(in_flight.popleft())
        for hook in hooks:
            hook(done + 1, members)
        if stop.requested:
            raise Interrupted(done + 1)
    return last


def every(steps: int, call: Hook, last: int | None = None) -> Hook:
    """A hook that calls another every `steps` rounds, and after round `last`."""

    def hook(done: int, members: dict[str, Member]) -> None:
        if done % steps == 0 or done == last:
            call(done, members)

    return hook


def variables(members: Mapping[str, Member]) -> dict[str, Any]:
    """Name -> variables of every member."""
    return {name: member.variables for name, member in members.items()}
