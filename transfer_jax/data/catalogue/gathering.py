"""Items as a table gives them row by row: equal rows are one, rows that contradict each other are an error."""

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue.sheets import Row
from transfer_jax.data.items import MISSING, UNCERTAIN, Item

_WORDS = {MISSING: "missing", UNCERTAIN: "uncertain"}


class Gathering:
    """Collects the items of one or several tables, each image once."""

    def __init__(self) -> None:
        """Begins without items."""
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
        difference = _difference(first, item)
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


def _difference(first: Item, second: Item) -> str:
    """What two items of one image differ in; the second one's values come first, as its line does."""
    if first.patient != second.patient:
        return f"its patient is {second.patient!r} in the one and {first.patient!r} in the other"
    if first.split != second.split:
        return f"its split is {second.split!r} in the one and {first.split!r} in the other"
    for label, value in second.labels.items():
        if value != first.labels[label]:
            mine, other = (_WORDS.get(each, str(each)) for each in (value, first.labels[label]))
            return f"its {label} is {mine} in the one and {other} in the other"
    return ""
