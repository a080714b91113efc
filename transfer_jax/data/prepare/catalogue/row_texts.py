"""What rows of raw tables say beside labels, as texts: the columns that a user may keep."""

from collections.abc import Iterator, Mapping, Sequence

from transfer_jax.data.prepare.catalogue.sheets import Row


class Texts(Mapping[str, str]):
    """What a row says beside labels: name -> cell as it is spelled, "" for a missing value.

    Cells are looked up when they are asked for, so that tables of many columns cost no memory.
    """

    __slots__ = ("_columns", "_more", "_row")

    def __init__(
        self, row: Row, columns: Mapping[str, str], more: Mapping[str, str] | None = None
    ) -> None:
        """Combines a row with texts from elsewhere.

        Args:
          row: The row.
          columns: Name -> column, see `named`.
          more: Name -> text that is not in the row; it goes before a column of that name.
        """
        self._row, self._columns, self._more = row, columns, more or {}

    def __getitem__(self, name: str) -> str:
        """Returns the text of a name."""
        if name in self._more:
            return self._more[name]
        column = self._columns[name]
        return "" if self._row.is_missing(column) else self._row.get(column, "")

    def __iter__(self) -> Iterator[str]:
        """Yields all names."""
        return iter(dict.fromkeys((*self._more, *self._columns)))

    def __len__(self) -> int:
        """Returns the number of names."""
        return len(self._more.keys() | self._columns.keys())


def named(rows: Sequence[Row], aliases: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns name -> column, for `Texts` of a table's rows.

    Args:
      rows: Rows of one table, which all have the same columns.
      aliases: Further names, such as "age", of columns that the table may have.

    Returns:
      The aliases of columns that exist come first, then every column by its own name.
    """
    header = list(rows[0]) if rows else []
    known = {name: column for name, column in (aliases or {}).items() if column in header}
    return known | {column: column for column in header if column and column not in known}
