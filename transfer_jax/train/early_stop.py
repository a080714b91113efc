"""When members stop, and which evaluation was their best: functions of the history alone, so that a resumed training decides as before."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

Entry = Mapping[str, Any]


def best(entries: Iterable[Entry]) -> Entry:
    """A member's first evaluation with its lowest validation loss, the one before the first step not counted where there are others.

    A loss that is not a number never is the lowest.
    """
    entries = list(entries)
    trained = [entry for entry in entries if entry["step"] > 0] or entries
    return min(trained, key=lambda entry: math.inf if math.isnan(entry["loss"]) else entry["loss"])


def stopped(history: Iterable[Entry], patience: int | None) -> set[str]:
    """Members whose lowest validation loss was `patience` evaluations old at some evaluation.

    Args:
      history: evaluations of all members, in order.
      patience: evaluations without a new lowest loss, that before the first step not counted; None never stops.

    Source: `EarlyStopping(monitor="val_loss", patience=...)` of Keras, which stops after the same evaluation.
    """
    if patience is None:
        return set()
    lowest: dict[str, float] = {}
    waited: dict[str, int] = {}
    found = set()
    for entry in history:
        member, loss = entry["member"], entry["loss"]
        if entry["step"] == 0 or member in found:
            continue
        waited[member] = waited.get(member, 0) + 1
        if loss < lowest.get(member, math.inf):
            lowest[member], waited[member] = loss, 0
        if waited[member] >= patience:
            found.add(member)
    return found
