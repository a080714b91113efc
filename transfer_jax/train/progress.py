"""Shows the progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

_PLAIN_SECONDS = 20.0


class Progress:
    """Progress of a training; use it as a context."""

    def __init__(self, label: str, first: int, last: int, images_per_round: int) -> None:
        """Starts the clock.

        Args:
          label: Name of the training.
          first: Number of rounds that are done.
          last: Number of rounds to do in all.
          images_per_round: Number of images that a round trains on, over all members.
        """
        self._label, self._first, self._last = label, first, last
        self._images = images_per_round
        self._start = self._last_line = time.monotonic()
        self._note = ""
        self._bar: tqdm | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=last, initial=first, desc=label, unit="step", leave=False, dynamic_ncols=True
            )
        else:
            self._line(f"{label}: step {first} of {last}")

    def __enter__(self) -> Progress:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()

    def note(self, text: str) -> None:
        """Shows a short result beside the progress, from the next update on."""
        self._note = text

    def say(self, text: str) -> None:
        """Prints a line of its own at once, without disturbing the bar."""
        tqdm.write(f"{self._label}: {text}", file=sys.stderr)

    def update(self, done: int) -> None:
        """Shows that `done` rounds are finished."""
        now = time.monotonic()
        rate = (done - self._first) / max(now - self._start, 1e-9)
        speed = f"{rate * self._images:,.0f} images/s"
        note = f", {self._note}" if self._note else ""
        if self._bar is not None:
            self._bar.set_postfix_str(f"{speed}{note}", refresh=False)
            self._bar.update(done - self._bar.n)
        elif now - self._last_line > _PLAIN_SECONDS or done == self._last:
            self._last_line = now
            left = (self._last - done) / max(rate, 1e-9)
            step = f"step {done} of {self._last}"
            self._line(f"{self._label}: {step}, {speed}, {left:.0f} s left{note}")

    def _line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
