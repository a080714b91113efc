"""Names given by people, and the one that they may have meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint to put behind an unknown name: the nearest known one, or all of them when none is near."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"
