"""Long lists in short messages: the first names of each kind, and how many more there are."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from transfer_jax.core.errors import CheckpointError

FIRST = 10
_LONGEST_ENTRY = 100  # characters: a name in a stranger's file can be of any length
_LONGEST = 1400  # characters of all kinds together, so that a message stays under 25 lines of 80
_LONGEST_MESSAGE = 1900


def listed(entries: Sequence[str], first: int = FIRST) -> str:
    """Returns the first entries, separated by commas, and how many more there are."""
    text = ", ".join(shortened(entry) for entry in entries[:first])
    rest = len(entries) - first
    return f"{text} and {rest:,} more" if rest > 0 else text


def problems(kinds: Mapping[str, Sequence[str]]) -> str:
    """Returns a clause per kind that has entries: "2 missing: a, b; 1 extra: c".

    Each clause names the first ten entries, or fewer where long names would make the message
    longer than a person reads.
    """
    text = ""
    for first in range(FIRST, 0, -1):
        clauses = (
            f"{len(entries):,} {kind}: {listed(entries, first)}"
            for kind, entries in kinds.items()
            if entries
        )
        text = "; ".join(clauses)
        if len(text) <= _LONGEST:
            break
    return text


def modules(names: Sequence[str], separator: str) -> str:
    """Returns the modules that hold tensors, as "fc.*, classifier.1.*".

    A module with a single tensor is listed as that tensor.
    """
    parents = Counter(name.rpartition(separator)[0] for name in names)
    entries: dict[str, None] = {}
    for name in names:
        parent = name.rpartition(separator)[0]
        whole = parent and (parents[parent] > 1 or name.endswith(("weight", "kernel")))
        entries[f"{parent}{separator}*" if whole else name] = None
    return listed(list(entries))


def shortened(entry: str) -> str:
    """Returns a name that is not too long to read."""
    return entry if len(entry) <= _LONGEST_ENTRY else f"{entry[: _LONGEST_ENTRY - 3]}..."


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Shortens the message of a `CheckpointError` that quotes too much of a stranger's file."""
    try:
        yield
    except CheckpointError as error:
        text = str(error)
        if len(text) <= _LONGEST_MESSAGE:
            raise
        half = _LONGEST_MESSAGE // 2
        raise CheckpointError(f"{text[:half]} ... {text[-half:]}") from error
