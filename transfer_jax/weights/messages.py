"""Long lists in short messages: the first names of each kind, and how many more there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FIRST = 10
_LONGEST_ENTRY = 100  # characters: a name in a stranger's file can be of any length
_LONGEST = 1400  # characters of all kinds together, so that a message stays under 25 lines of 80


def listed(entries: Sequence[str], first: int = FIRST) -> str:
    """Returns the first entries, separated by commas, and how many more there are."""
    shown = ", ".join(_shortened(entry) for entry in entries[:first])
    rest = len(entries) - first
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def problems(kinds: Mapping[str, Sequence[str]]) -> str:
    """Returns a clause per kind that has entries: "2 missing: a, b; 1 extra: c".

    Each clause names the first ten entries, or fewer where long names would make the message
    longer than a person reads.
    """
    text = ""
    for first in range(FIRST, 0, -1):
        clauses = (f"{len(entries):,} {kind}: {listed(entries, first)}" for kind, entries in kinds.items() if entries)
        text = "; ".join(clauses)
        if len(text) <= _LONGEST:
            break
    return text


def modules(names: Sequence[str], separator: str) -> str:
    """Returns the modules that hold the tensors `names`: "fc.*, classifier.1.*" and how many more."""
    parents = (name.rpartition(separator) for name in names)
    unique = dict.fromkeys(f"{head}{separator}*" if head else leaf for head, _, leaf in parents)
    return listed(list(unique))


def _shortened(entry: str) -> str:
    return entry if len(entry) <= _LONGEST_ENTRY else f"{entry[: _LONGEST_ENTRY - 3]}..."
