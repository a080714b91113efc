"""The one rule by which the cells of raw tables are read, and a record of its decisions."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare.catalogue import spellings

MISSING_WORDS = "NA,N/A,#N/A,<NA>,nan,None,null,-"
OPTION = (
    "words that stand for a missing value, in any case, separated by commas, in place of the "
    f"default ones; empty: nothing but blank cells is missing (default: {MISSING_WORDS})"
)


class Cells:
    """Reads the cells of one data set's tables.

    A blank cell and a word of the option `missing` are missing values: never a class, never a
    number, never a patient. Everything else is compared as `spellings` describes. Cells that were
    taken for missing, merged or not understood are counted, and `notes` reports them.
    """

    def __init__(self, missing: str = MISSING_WORDS) -> None:
        """Takes the words of the option `missing`, separated by commas."""
        self._words = {spellings.key(word) for word in missing.split(",") if word.strip()}
        self._known: dict[str, bool] = {}
        self._missing: Counter[str] = Counter()
        self._columns: dict[str, None] = {}
        self._names: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._other: dict[str, Counter[str]] = defaultdict(Counter)
        self._unknown: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def is_missing(self, cell: str) -> bool:
        """Returns whether a cell is blank or a word for a missing value."""
        if cell not in self._known:
            folded = spellings.fold(cell)
            dashes = "-" in self._words and not folded.strip("-")
            self._known[cell] = not folded or dashes or spellings.key(cell) in self._words
        return self._known[cell]

    def missing(self, column: str, cell: str) -> bool:
        """Returns whether a label's cell is missing; if so, it is counted for the notes."""
        if not self.is_missing(cell):
            return False
        self._missing[spellings.plain(cell)] += 1
        self._columns[column] = None
        return True

    def filled(self, column: str, cell: str, where: str) -> str:
        """Returns a cell that must not be missing.

        Raises:
          DataError: The cell is missing.
        """
        if not self.is_missing(cell):
            return cell
        if not spellings.fold(cell):
            raise DataError(f"{where}: empty cell in column {column!r}")
        raise DataError(
            f"{where}: {cell!r} in column {column!r} stands for a missing value, and the column"
            " must be filled: fill it, or leave that word out of --missing"
        )

    def name(self, column: str, cell: str, where: str) -> str:
        """Returns the one spelling of a patient's or an examination's name.

        Raises:
          DataError: The cell is missing, or holds a number that a spreadsheet has rounded.
        """
        cell = self.filled(column, cell, where)
        mantissa, exponent, power = spellings.fold(cell).partition("e+")
        if exponent and power.isdecimal() and spellings.is_number(mantissa):
            raise DataError(
                f"{where}, column {column!r}: {cell!r} was rounded by a spreadsheet, so that names"
                " can no longer be told apart: export the table again with that column formatted"
                " as text"
            )
        name = spellings.name(cell)
        self._names[column][name].add(cell)
        return name

    def number(self, column: str, cell: str, allowed: range | Sequence[int], where: str) -> int:
        """Returns the whole number in a label's cell, or `MISSING`.

        Raises:
          DataError: The cell holds something else, or a number that is not allowed.
        """
        return (
            MISSING
            if self.missing(column, cell)
            else whole_number(cell, allowed, f"{where}, column {column!r}")
        )

    def word(
        self, column: str, cell: str, words: Sequence[str], where: str, *, strict: bool = True
    ) -> int:
        """Returns the place among `words` of the word in a label's cell, or `MISSING`.

        Args:
          column: Name of the column.
          cell: Content of the cell.
          words: The words that are known, compared without regard to case and spaces.
          where: File and line, for the error.
          strict: Whether another word is an error; otherwise it counts as missing and is noted.

        Raises:
          DataError: The word is none of those, and `strict` is set.
        """
        if self.missing(column, cell):
            return MISSING
        places = {spellings.key(word): i for i, word in enumerate(words)}
        place = places.get(spellings.key(cell))
        if place is not None:
            if cell != words[place]:
                self._other[f"{words[place]!r} of column {column!r}"][cell] += 1
            return place
        if strict:
            raise DataError(f"{where}, column {column!r}: {cell!r} is none of {', '.join(words)}")
        self._unknown[column, ", ".join(words)][cell] += 1
        return MISSING

    def notes(self) -> list[str]:
        """Returns what the user should know of the cells that were read, one sentence each."""
        notes = []
        if self._missing:
            total = sum(self._missing.values())
            kinds = ", ".join(
                f"{f'{word!r}' if word else 'blank'}: {count}"
                for word, count in self._missing.most_common()
            )
            option = "; --missing says which words do" if set(self._missing) - {""} else ""
            verb = "cell counts" if total == 1 else "cells count"
            notes.append(
                f"{total} {verb} as missing in {_columns(self._columns)} ({kinds}){option}"
            )
        for word, others in self._other.items():
            notes.append(f"{_counts(others)} {'counts' if len(others) == 1 else 'count'} as {word}")
        for (column, words), others in self._unknown.items():
            notes.append(
                f"column {column!r}: {_counts(others)} is none of {words} and counts as missing"
            )
        for column, names in self._names.items():
            notes += _about_names(column, names)
        return notes


def whole_number(cell: str, allowed: range | Sequence[int], where: str) -> int:
    """Returns the whole number in a cell.

    Raises:
      DataError: The cell holds no whole number, or one that is not allowed.
    """
    try:
        value = spellings.number(cell)
    except ValueError as error:
        raise DataError(f"{where}: {cell!r} {error}") from None
    if value is None or math.isinf(value):
        raise DataError(f"{where}: {cell!r} is no number")
    if value != int(value) or int(value) not in allowed:
        shown = (
            f"{allowed.start}..{allowed.stop - 1}"
            if isinstance(allowed, range)
            else ", ".join(map(str, allowed))
        )
        raise DataError(f"{where}: {cell} is out of range ({shown})")
    return int(value)


def _about_names(column: str, names: dict[str, set[str]]) -> list[str]:
    """Returns notes on names that are spelled in several ways, and on names nearly alike."""
    notes = []
    several = [sorted(spelled) for spelled in names.values() if len(spelled) > 1]
    if several:
        what = "name is" if len(several) == 1 else "names are"
        notes.append(
            f"column {column!r}: {len(several)} {what} spelled in several ways, such as"
            f" {' and '.join(map(repr, several[0]))}: each is one"
        )
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[spellings.fold(name).lstrip("0")].append(name)
    near = [sorted(group) for group in alike.values() if len(group) > 1]
    if near:
        what = "group" if len(near) == 1 else "groups"
        pair = " and ".join(map(repr, near[0]))
        notes.append(
            f"column {column!r}: {pair} differ in case or leading zeros and count as different"
            f" names ({len(near)} such {what})"
        )
    return notes


def _columns(columns: dict[str, None]) -> str:
    shown = list(columns)
    return f"column {shown[0]!r}" if len(shown) == 1 else f"columns {spellings.examples(shown)}"


def _counts(counts: Counter[str]) -> str:
    shown = ", ".join(f"{word!r} ({count})" for word, count in counts.most_common(5))
    return shown if len(counts) <= 5 else f"{shown} and {len(counts) - 5} more"
