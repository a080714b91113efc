"""Where a training logs: one interface to TensorBoard and to a file of JSON lines."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from transfer_jax.train.event_file import Writer


@runtime_checkable
class Tracker(Protocol):
    """What is logged of the members of a training."""

    def scalars(self, member: str, step: int, values: Mapping[str, float]) -> None:
        """Logs tag -> number."""

    def image(self, member: str, step: int, tag: str, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Logs an RGB image."""

    def text(self, member: str, step: int, tag: str, text: str) -> None:
        """Logs a text, which may be Markdown."""

    def facts(self, member: str, values: Mapping[str, Any]) -> None:
        """Logs what a member is: hyper-parameters, initialisation, data."""


class TensorBoard:
    """One folder of TensorBoard event files per member."""

    def __init__(self, folder: Path, members: Sequence[str], stack: contextlib.ExitStack) -> None:
        """Opens the event files; they are closed with the stack."""
        self._writers = {name: stack.enter_context(Writer(folder / name)) for name in members}

    def scalars(self, member: str, step: int, values: Mapping[str, float]) -> None:
        """Writes scalar summaries."""
        self._writers[member].scalars(step, values)

    def image(self, member: str, step: int, tag: str, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Writes an image summary."""
        self._writers[member].image(step, tag, image)

    def text(self, member: str, step: int, tag: str, text: str) -> None:
        """Writes a text summary."""
        self._writers[member].text(step, tag, text)

    def facts(self, member: str, values: Mapping[str, Any]) -> None:
        """Writes the member's row of the table of hyper-parameters."""
        self._writers[member].hyper_parameters(values)


class JsonLines:
    """One file with a JSON object per line: time, member, step, and what was logged.

    A resumed training appends, and logs again what it had logged after its last checkpoint: of two
    lines of the same member and step the later one counts. Images are left to TensorBoard. Numbers
    that are not finite are strings ("nan", "inf", "-inf"), since JSON has none.
    """

    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        """Opens the file for appending; it is closed with the stack."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = stack.enter_context(open(path, "a", encoding="utf-8"))

    def scalars(self, member: str, step: int, values: Mapping[str, float]) -> None:
        """Appends the numbers."""
        self._append(member, step, {"scalars": {k: _json(float(v)) for k, v in values.items()}})

    def image(self, member: str, step: int, tag: str, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Leaves images out."""

    def text(self, member: str, step: int, tag: str, text: str) -> None:
        """Appends the text."""
        self._append(member, step, {"text": {tag: text}})

    def facts(self, member: str, values: Mapping[str, Any]) -> None:
        """Appends what the member is."""
        self._append(member, 0, {"facts": dict(values)})

    def _append(self, member: str, step: int, content: Mapping[str, Any]) -> None:
        line = {"time": round(time.time(), 3), "member": member, "step": step, **content}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


class Trackers:
    """Several trackers as one; none at all in processes that write nothing."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        """Logs to all of `trackers`."""
        self._trackers = tuple(trackers)

    def __bool__(self) -> bool:
        """Whether anything is logged at all."""
        return bool(self._trackers)

    def scalars(self, member: str, step: int, values: Mapping[str, float]) -> None:
        """Logs tag -> number everywhere."""
        for tracker in self._trackers:
            tracker.scalars(member, step, values)

    def image(self, member: str, step: int, tag: str, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Logs an RGB image everywhere."""
        for tracker in self._trackers:
            tracker.image(member, step, tag, image)

    def text(self, member: str, step: int, tag: str, text: str) -> None:
        """Logs a text everywhere."""
        for tracker in self._trackers:
            tracker.text(member, step, tag, text)

    def facts(self, member: str, values: Mapping[str, Any]) -> None:
        """Logs what a member is everywhere."""
        for tracker in self._trackers:
            tracker.facts(member, values)


def _json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
