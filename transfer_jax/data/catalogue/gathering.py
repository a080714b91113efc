"""Items as a table gives them row by row: equal rows are one, rows that contradict each other are an error."""

from collections.abc import Mapping, Sequence

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue.sheets import Row
from transfer_jax.data.items import MISSING, UNCERTAIN, Item

_WORDS = {MISSING: "missing", UNCERTAIN: "uncertain"}


class Gathering:
    """Collects the items of one or several tables, each image once."""

    def __init__(self, names: Mapping[str, Sequence[str]] | None = None) -> None:
        """Begins without items; `names` are those of the labels' values, for errors."""
        self._names = names or {}
        self._first: dict[str, tuple[Item, Row]] = {}
        self._repeated = 0
        self._example = ""

    def add(self, item: Item, row: Row) -> None:
        """Adds the item of a row.

        Raises:
          DataError: an earlier row says something else of the same image.
        """
        first, before = self._first.setdefault(item.id, (item, row))
        if before is row:
            return
        difference = self._difference(first, item)
        if difference:
            raise DataError(
                f"{row.where} and {'' if before.path == row.path else f'{before.path}, '}line {before.line}: "
                f"both are about image {item.id}, and {difference}: keep the row that is right"
            )
        self._repeated += 1
        self._example = self._example or f"line {row.line} those of line {before.line}"

    @property
    def items(self) -> list[Item]:
        """The items, in the order of their first rows."""
        return [item for item, _ in self._first.values()]

    def notes(self) -> list[str]:
        """Returns how many rows repeat earlier ones, where any do."""
        if not self._repeated:
            return []
        verb = "row repeats" if self._repeated == 1 else "rows repeat"
        return [f"{self._repeated} {verb} what an earlier row says of the same image ({self._example}): each image counts once"]

    def _difference(self, first: Item, second: Item) -> str:
        """What two items of one image differ in; the second one's values come first, as its line does."""
        if first.patient != second.patient:
            return f"its patient is {second.patient!r} in the one and {first.patient!r} in the other"
        if first.split != second.split:
            return f"its split is {second.split!r} in the one and {first.split!r} in the other"
        for label, value in second.labels.items():
            if value != first.labels[label]:
                here, there = self._shown(label, value), self._shown(label, first.labels[label])
                return f"its label {label!r} is {here} in the one and {there} in the other"
        return ""

    def _shown(self, label: str, value: int) -> str:
        if value < 0 or label not in self._names:
            return _WORDS.get(value, str(value))
        return repr(self._names[label][value])
