"""Turns Ctrl-C and SIGTERM into a request to finish the step, save and stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StopRequest:
    """A context in which SIGINT and SIGTERM set `requested` instead of ending the program.

    A second Ctrl-C ends it at once.

    Attributes:
      requested: Whether the user has asked to stop.
    """

    def __init__(self) -> None:
        """Creates a request that is not made yet."""
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        """Installs the signal handlers; only the main thread can, elsewhere this does nothing."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._request)
        return self

    def _request(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restores the signal handlers."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)
