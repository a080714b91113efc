"""When phases and members end, and which evaluation was a member's best.

All functions depend on the history alone, so that a resumed training decides as it did before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.train.recipe import LOSS, ON_DIVERGENCE
from transfer_jax.train.schedule import MemberSchedule

Entry = Mapping[str, Any]

# Metrics of which a lower value is better; of all others a higher one is.
LOWER_IS_BETTER = frozenset({LOSS, "log_loss", "brier", "ece"})


def merit(entry: Entry, select: str) -> float:
    """Returns how good an evaluation is, higher being better; -inf where it is NaN.

    Args:
      entry: The evaluation.
      select: A metric of it, as "loss" or "auc", or that of a single label, as "auc/LABEL".
    """
    value = float(entry[select])
    if math.isnan(value):
        return -math.inf
    return -value if select.partition("/")[0] in LOWER_IS_BETTER else value


def diverged(history: Iterable[Entry]) -> dict[str, int]:
    """Returns the members that have diverged, with the step of the evaluation that found it.

    A member stays diverged, even where a later evaluation of it is finite again.
    """
    steps: dict[str, int] = {}
    for entry in history:
        if entry["diverged"]:
            steps.setdefault(entry["member"], entry["step"])
    return steps


def sound(entries: Iterable[Entry]) -> list[Entry]:
    """Returns the evaluations of one member before it diverged: all of them if it never did."""
    before = []
    for entry in entries:
        if entry["diverged"]:
            break
        before.append(entry)
    return before


def best(entries: Iterable[Entry], select: str = LOSS) -> Entry:
    """Returns the first evaluation of one member that no other one is better than.

    It is chosen over all evaluations, whatever the phase: a phase begins with the weights that the
    one before it ended with, not with the best ones, as two calls of Keras' `fit` do that share a
    `ModelCheckpoint`.

    The evaluation before the first step counts only where no other does, and an evaluation from
    which on the member is diverged counts only where there is none before it. NaN is never the
    best.

    Args:
      entries: Evaluations of the member, in order.
      select: The metric that decides, see `merit`.
    """
    entries = list(entries)
    candidates = sound(entries) or entries[:1]
    trained = [entry for entry in candidates if entry["step"] > 0] or candidates
    return max(trained, key=lambda entry: merit(entry, select))


def followed(
    schedules: Mapping[str, MemberSchedule],
    history: Iterable[Entry],
    on_divergence: str = ON_DIVERGENCE[0],
) -> dict[str, MemberSchedule]:
    """Returns the schedule of every member with the ends that its evaluations have given it.

    A phase with a patience ends at the evaluation that is the last of so many without a better
    value of the phase's metric. The next phase begins there with all its steps; after the last
    phase the member is not trained any more. Every phase counts for itself: the evaluation that it
    begins with, which is the one before the first step for the first phase, does not count.

    Args:
      schedules: Member -> its schedule as the recipe has it.
      history: Evaluations of the members, in order.
      on_divergence: "stop" also ends the training of members that have diverged, at the evaluation
        that found it; "continue" does not.

    Source: `EarlyStopping(patience=...)` of Keras, a fresh one per call of `fit`, stops after the
    same evaluation. The two differ where the first loss is NaN: Keras 3 takes it for the best one,
    which no later loss improves on, so that training always stops; here NaN is no improvement, and
    the first finite loss is the best so far.
    """
    entries: dict[str, list[Entry]] = {name: [] for name in schedules}
    for entry in history:
        entries[entry["member"]].append(entry)
    return {
        name: _followed(schedule, entries[name], on_divergence)
        for name, schedule in schedules.items()
    }


def _followed(
    schedule: MemberSchedule, entries: Iterable[Entry], on_divergence: str
) -> MemberSchedule:
    index, waited, highest = -1, 0, -math.inf
    for entry in entries:
        step = entry["step"]
        if entry["diverged"] and on_divergence == "stop":
            return schedule.stopped(step)
        if step == 0:
            continue
        # The step before the evaluation is the one that it judges.
        if schedule.index(step - 1) != index:
            index, waited, highest = schedule.index(step - 1), 0, -math.inf
        phase = schedule.phases[index]
        waited += 1
        if merit(entry, phase.select) > highest:
            highest, waited = merit(entry, phase.select), 0
        if phase.patience is not None and waited >= phase.patience:
            schedule = schedule.shortened(index, step)
    return schedule


def ended_early(schedule: MemberSchedule) -> dict[int, int]:
    """Returns the phases that ended before their steps were done, index -> number of steps done.

    Args:
      schedule: The schedule that a member has followed, which did not diverge.
    """
    ends = (*(phase.first for phase in schedule.phases[1:]), schedule.end)
    pairs = enumerate(zip(schedule.phases, ends, strict=True))
    return {i: end for i, (phase, end) in pairs if end < phase.last}


def check(entry: Entry, select: str, schedule: MemberSchedule) -> None:
    """Raises ConfigError where an evaluation lacks a metric that decides something.

    Args:
      entry: An evaluation of a member.
      select: The recipe's metric.
      schedule: The member's schedule, whose phases may have metrics of their own.
    """
    for name in dict.fromkeys((select, *(phase.select for phase in schedule.phases))):
        if name not in entry:
            metric = name.partition("/")[0]
            alike = [column for column in entry if column.partition("/")[0] == metric]
            raise ConfigError(
                f"select={name!r} is not evaluated on this data set: {nearest(name, alike)}"
            )


def described(schedule: MemberSchedule, done: int) -> str:
    """Returns which phase of a schedule an evaluation has ended after `done` steps, in words."""
    index, count = schedule.index(done - 1), len(schedule.phases)
    phase = schedule.phases[index]
    which = f"phase {index + 1} of {count}" if count > 1 else "the training"
    waited = "1 evaluation" if phase.patience == 1 else f"{phase.patience} evaluations"
    return f"{which} ended at step {done}: no better {phase.select} for {waited}"
