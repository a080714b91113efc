"""When members stop, and which evaluation was their best.

All of these are functions of the history alone, so that a resumed training decides as it did before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

Entry = Mapping[str, Any]

ON_DIVERGENCE = ("stop", "continue")


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


def best(entries: Iterable[Entry]) -> Entry:
    """Returns the first evaluation of one member with its lowest validation loss.

    The evaluation before the first step counts only where no other does, and an evaluation from
    which on the member is diverged counts only where there is none before it. A loss that is NaN
    is never the lowest.
    """
    entries = list(entries)
    candidates = sound(entries) or entries[:1]
    trained = [entry for entry in candidates if entry["step"] > 0] or candidates
    return min(trained, key=lambda entry: math.inf if math.isnan(entry["loss"]) else entry["loss"])


def stopped(history: Iterable[Entry], patience: int | None, on_divergence: str = ON_DIVERGENCE[0]) -> set[str]:
    """Returns the members that are not trained any more.

    Args:
      history: Evaluations of all members, in order.
      patience: Number of evaluations without a new lowest validation loss after which a member
        stops; the evaluation before the first step does not count. None never stops a member.
      on_divergence: "stop" also stops members that have diverged; "continue" does not.

    Source: `EarlyStopping(monitor="val_loss", patience=...)` of Keras stops after the same
    evaluation. The two differ in what they make of a first loss that is NaN: Keras 3 takes it for the
    best one, which no later loss improves on, so that the training always stops; here NaN is no
    improvement, and the first finite loss is the lowest so far.
    """
    history = list(history)
    members = set(diverged(history)) if on_divergence == "stop" else set()
    if patience is None:
        return members
    lowest: dict[str, float] = {}
    waited: dict[str, int] = {}
    for entry in history:
        member, loss = entry["member"], entry["loss"]
        if entry["step"] == 0 or member in members:
            continue
        waited[member] = waited.get(member, 0) + 1
        if loss < lowest.get(member, math.inf):
            lowest[member], waited[member] = loss, 0
        if waited[member] >= patience:
            members.add(member)
    return members
