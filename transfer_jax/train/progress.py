"""How far a training is: a bar with images/s and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

_PLAIN_SECONDS = 20.0


class Progress:
    """Progress of a training; use as a context."""

    def __init__(self, label: str, first: int, last: int, images_per_round: int) -> None:
        """A training from round `first` to round `last`."""
        self._label, self._first, self._last, self._images = label, first, last, images_per_round
        self._start = self._said = time.monotonic()
        self._note = ""
        self._bar: tqdm | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(total=last, initial=first, desc=label, unit="step", leave=False, dynamic_ncols=True)
        else:
            self._line(f"{label}: step {first} of {last}")

    def __enter__(self) -> Progress:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()

    def note(self, text: str) -> None:
        """Shows a short result beside the progress from the next update on."""
        self._note = text

    def say(self, text: str) -> None:
        """Prints a line of its own at once, without disturbing the bar."""
        tqdm.write(f"{self._label}: {text}", file=sys.stderr)

    def update(self, done: int) -> None:
        """`done` rounds are finished."""
        now = time.monotonic()
        rate = (done - self._first) / max(now - self._start, 1e-9)
        speed = f"{rate * self._images:,.0f} images/s"
        if self._bar is not None:
            self._bar.set_postfix_str(f"{speed}{', ' if self._note else ''}{self._note}", refresh=False)
            self._bar.update(done - self._bar.n)
        elif now - self._said > _PLAIN_SECONDS or done == self._last:
            self._said = now
            left = (self._last - done) / max(rate, 1e-9)
            self._line(f"{self._label}: step {done} of {self._last}, {speed}, {left:.0f} s left{', ' if self._note else ''}{self._note}")

    def _line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
