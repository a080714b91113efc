"""Collects items row by row from tables; rows that contradict each other are an error."""

from collections.abc import Mapping, Sequence

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, UNCERTAIN, Item
from transfer_jax.data.prepare.catalogue.sheets import Row

_WORDS = {MISSING: "missing", UNCERTAIN: "uncertain"}


class Gathering:
    """Collects the items of one or several tables, each image once."""

    def __init__(self, names: Mapping[str, Sequence[str]] | None = None) -> None:
        """Begins without items.

        Args:
          names: Label -> names of its values, for messages.
        """
        self._names = names or {}
        self._first: dict[str, tuple[Item, Row]] = {}
        self._repeated = 0
        self._example = ""
        self._contradictions: dict[str, str] = {}

    def add(self, item: Item, row: Row) -> None:
        """Adds the item of a row.

        Raises:
          DataError: An earlier row says something else of the same image.
        """
        first, before = self._first.setdefault(item.id, (item, row))
        if before is row:
            return
        difference = self._difference(first, item)
        where = (
            f"{row.where} and {'' if before.path == row.path else f'{before.path}, '}line"
            f" {before.line}"
        )
        if difference:
            raise DataError(
                f"{where}: both are about image {item.id}, and {difference}: keep the row that is"
                " right"
            )
        for name, text in item.columns.items():
            if text != first.columns.get(name):
                self._contradictions.setdefault(
                    name,
                    f"{where}: both are about image {item.id}, and its {name!r} is {text!r} in the"
                    f" one and {first.columns.get(name)!r} in the other",
                )
        self._repeated += 1
        self._example = self._example or f"line {row.line} those of line {before.line}"

    @property
    def items(self) -> list[Item]:
        """Returns the items, in the order of their first rows."""
        return [item for item, _ in self._first.values()]

    @property
    def contradictions(self) -> dict[str, str]:
        """Returns how rows of one image differ in columns, see `Listing.contradictions`."""
        return self._contradictions

    def notes(self) -> list[str]:
        """Returns how many rows repeat earlier ones, where any do."""
        if not self._repeated:
            return []
        verb = "row repeats" if self._repeated == 1 else "rows repeat"
        return [
            f"{self._repeated} {verb} what an earlier row says of the same image"
            f" ({self._example}): each image counts once"
        ]

    def _difference(self, first: Item, second: Item) -> str:
        """Returns how two items of one image differ, in words, or "" where they do not.

        The values of the second one come first, as its line does in the message.
        """
        if first.patient != second.patient:
            return (
                f"its patient is {second.patient!r} in the one and {first.patient!r} in the other"
            )
        if first.split != second.split:
            return f"its split is {second.split!r} in the one and {first.split!r} in the other"
        if first.study != second.study:
            return f"its study is {second.study!r} in the one and {first.study!r} in the other"
        for label, value in second.labels.items():
            if value != first.labels[label]:
                here, there = self._shown(label, value), self._shown(label, first.labels[label])
                return f"its label {label!r} is {here} in the one and {there} in the other"
        return ""

    def _shown(self, label: str, value: int) -> str:
        if value < 0 or label not in self._names:
            return _WORDS.get(value, str(value))
        return repr(self._names[label][value])
