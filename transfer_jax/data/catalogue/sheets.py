"""CSV tables of raw data sets, read strictly."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from transfer_jax.core import files
from transfer_jax.core.errors import DataError
from transfer_jax.core.names import nearest


class Row(dict[str, str]):
    """A row: column -> cell without spaces around it, "" where it is empty; `where` names the file and the line for errors."""

    __slots__ = ("line", "path")

    def __init__(self, cells: Mapping[str, str], path: Path, line: int) -> None:
        """The cells that begin in line `line` of the file `path`."""
        super().__init__(cells)
        self.path, self.line = path, line

    @property
    def where(self) -> str:
        """The file and the line, for errors."""
        return f"{self.path}, line {self.line}"

    def filled(self, column: str) -> str:
        """The cell of a column.

        Raises:
          DataError: it is empty.
        """
        if not self[column]:
            raise DataError(f"{self.where}: empty cell in column {column!r}")
        return self[column]

    def number(self, column: str, allowed: range | Sequence[int]) -> int:
        """The whole number in the cell of a column; "1.0" is one.

        Raises:
          DataError: the cell holds none, or one that is not allowed.
        """
        return whole_number(self[column], allowed, f"{self.where}, column {column!r}")


def read(path: Path, columns: Iterable[str], header: Sequence[str] | None = None) -> list[Row]:
    """The rows of a CSV file.

    Args:
      path: of the file, in UTF-8.
      columns: that must be there.
      header: names of the columns, for files that have no header of their own.

    Raises:
      DataError: the file or a column is missing, it has no rows, a row has more cells than the header, or it is not text.
    """
    if not path.is_file():
        what = f"table {path} is missing" if path.parent.is_dir() else f"data folder {path.parent} does not exist"
        raise DataError(f"{what}: give the folder that holds it")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = _cells(csv.reader(file))
            found = list(header) if header else [name.strip() for name in next(lines, (0, []))[1]]
            for column in columns:
                if column not in found:
                    raise DataError(f"{path} has no column {column!r}: {nearest(column, found)}")
                if found.count(column) > 1:
                    raise DataError(f"{path} has {found.count(column)} columns {column!r}: rename all but one")
            rows = []
            for line, cells in lines:
                if any(cells[len(found) :]):
                    raise DataError(f"{path}, line {line}: {len(cells)} cells for {len(found)} columns: put cells that hold commas in quotes")
                cells += [""] * (len(found) - len(cells))
                rows.append(Row(dict(zip(found, cells, strict=False)), path, line))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table in UTF-8 ({error}): save it as one") from error
    if not rows:
        raise DataError(f"{path} has {'no rows' if header else 'a header and no rows'}")
    return rows


def _cells(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """The line that a row begins in (quoted cells may go over several), and its cells; empty lines are passed over."""
    begin = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield begin, [cell.strip() for cell in cells]
        begin = reader.line_num + 1  # type: ignore[attr-defined]


def inside(folder: Path, relative: str, where: str) -> Path:
    """The file `relative` below `folder`.

    Args:
      folder: the raw folder.
      relative: a path with forward slashes.
      where: names the place that holds it, for the error.

    Raises:
      DataError: the path is empty, is absolute or leaves the folder.
    """
    path = files.below(folder, relative)
    if path is None or path == folder:
        raise DataError(f"{where}: path {relative!r} leaves the raw folder: paths must be relative to it")
    return path


def whole_number(cell: str, allowed: range | Sequence[int], where: str) -> int:
    """The number in a cell.

    Raises:
      DataError: the cell holds no whole number, or one that is not allowed.
    """
    try:
        value = float(cell)
        number = int(value)
    except (ValueError, OverflowError):
        raise DataError(f"{where}: {cell!r} is no number") from None
    if number != value or number not in allowed:
        shown = f"{allowed.start}..{allowed.stop - 1}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
        raise DataError(f"{where}: {cell} is out of range ({shown})")
    return number
