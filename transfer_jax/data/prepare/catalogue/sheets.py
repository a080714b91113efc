"""Reads tables of raw data sets from text files, strictly, whatever separates their cells."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from transfer_jax.core import files
from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare.catalogue import spellings
from transfer_jax.data.prepare.catalogue.cells import Cells

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or a zip archive: save the table as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save it as CSV in UTF-8",
    b"\x1f\x8b": "compressed: unpack it",
}
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_ENDINGS = (".csv", ".tsv", ".txt", ".xlsx", ".xls")
_EXCELS = re.compile(r'"?sep=(.)"?[\s,;]*', re.IGNORECASE)


class Row(dict[str, str]):
    """A row: column -> cell without surrounding spaces, read by the rule of `cells`."""

    __slots__ = ("cells", "line", "path")

    def __init__(
        self, content: Mapping[str, str], path: Path, line: int, cells: Cells | None = None
    ) -> None:
        """Creates a row.

        Args:
          content: Column -> cell.
          path: The file.
          line: The line in which the row begins.
          cells: The rule by which cells are read.
        """
        super().__init__(content)
        self.path, self.line, self.cells = path, line, cells or Cells()

    @property
    def where(self) -> str:
        """The file and the line, for messages."""
        return f"{self.path}, line {self.line}"

    def is_missing(self, column: str) -> bool:
        """Returns whether the cell is blank or a word for a missing value."""
        return self.cells.is_missing(self.get(column, ""))

    def missing(self, column: str) -> bool:
        """Returns whether the cell of a label is missing; if so, it is counted for the notes."""
        return self.cells.missing(column, self.get(column, ""))

    def filled(self, column: str) -> str:
        """Returns the cell of a column; see `Cells.filled`."""
        return self.cells.filled(column, self[column], self.where)

    def name(self, column: str) -> str:
        """Returns the name in the cell of a column; see `Cells.name`."""
        return self.cells.name(column, self[column], self.where)

    def number(self, column: str, allowed: range | Sequence[int]) -> int:
        """Returns the whole number in a label's cell, or `MISSING`; see `Cells.number`."""
        return self.cells.number(column, self.get(column, ""), allowed, self.where)

    def word(self, column: str, words: Sequence[str], *, strict: bool = True) -> int:
        """Returns the place in `words` of a label's cell, or `MISSING`; see `Cells.word`."""
        return self.cells.word(column, self.get(column, ""), words, self.where, strict=strict)


def read(
    path: Path,
    columns: Iterable[str],
    header: Sequence[str] | None = None,
    cells: Cells | None = None,
) -> list[Row]:
    """Reads the rows of a table.

    The text is UTF-8, or UTF-16 with its mark (Excel's "Unicode text"). The separator is the one
    that Excel's line "sep=" names, otherwise the one with which the header has the columns.

    Args:
      path: The file.
      columns: Columns that must exist.
      header: Names of the columns, for files without a header.
      cells: The rule by which cells are read; by default a new one with the usual words for
        missing values.

    Raises:
      DataError: The file or a column is missing, it has no rows, a row has more cells than the
        header, or it is not text.
    """
    cells, columns = cells or Cells(), list(columns)
    content = text(path)
    separator, skipped = _separator(content, columns, header)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    rows = []
    try:
        lines = _lines(reader)
        if skipped:
            next(lines)
        names = (
            list(header) if header else [spellings.plain(name) for name in next(lines, (0, []))[1]]
        )
        _check(path, names, columns)
        for line, values in lines:
            if any(values[len(names) :]):
                raise DataError(
                    f"{path}, line {line}: {len(values)} cells for {len(names)} columns: put cells"
                    f" that hold {SEPARATORS.get(separator, repr(separator))} in quotes"
                )
            values += [""] * (len(names) - len(values))
            rows.append(Row(dict(zip(names, values, strict=False)), path, line, cells))
    except csv.Error as error:
        raise DataError(
            f"{path} is not a CSV table (line {reader.line_num}: {error}): close its quotes, or"
            " save it as CSV again"
        ) from error
    if not rows:
        raise DataError(f"{path} has {'no rows' if header else 'a header and no rows'}")
    return rows


def text(path: Path) -> str:
    """Returns the text of a file in UTF-8 or UTF-16.

    Raises:
      DataError: The file is missing or in another encoding.
    """
    if not path.is_file():
        raise _missing(path)
    data = path.read_bytes()
    for begin, what in _FORMATS.items():
        if data.startswith(begin):
            raise DataError(f"{path} is {what}")
    encoding = _BOMS.get(data[:2], "utf-8-sig")
    if encoding == "utf-8-sig" and b"\0" in data[:200]:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not a CSV table in UTF-8 ({error}): save it as one; in Excel that is 'CSV"
            " UTF-8'"
        ) from error


def _missing(path: Path) -> DataError:
    """Returns the error for a table that does not exist, with the one that may be meant."""
    if not path.parent.is_dir():
        return DataError(f"data folder {path.parent} does not exist: give the folder that holds it")
    below = sorted(path.parent.glob(f"*/{path.name}"))
    if below:
        return DataError(
            f"table {path} is missing, but {below[0]} is there: give {below[0].parent}"
        )
    beside = sorted(
        other.name for other in path.parent.iterdir() if other.suffix.lower() in _ENDINGS
    )
    tables = f"; the tables there are {spellings.examples(beside)}" if beside else ""
    return DataError(f"table {path} is missing{tables}: give the folder that holds it")


def inside(folder: Path, relative: str, where: str) -> Path:
    """Returns the file `relative` below `folder`.

    Args:
      folder: The raw folder.
      relative: A path with slashes.
      where: Names the place that holds it, for the message.

    Raises:
      DataError: The path is empty, is absolute or leaves the folder.
    """
    path = files.below(folder, relative)
    if path is None or path == folder:
        raise DataError(
            f"{where}: path {relative!r} leaves the raw folder: paths must be relative to it"
        )
    return path


def _separator(
    content: str, columns: Sequence[str], header: Sequence[str] | None
) -> tuple[str, bool]:
    """Returns the separator of a table, and whether its first line names it."""
    first = content.lstrip("\r\n").split("\n", 1)[0].rstrip("\r")
    excels = _EXCELS.fullmatch(first)
    if excels:
        return excels[1], True

    def fit(separator: str) -> tuple[int, bool, int]:
        try:
            reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
            names = next(_lines(reader), (0, []))[1]
        except csv.Error:
            return 0, False, 0
        known = {spellings.fold(name) for name in names}
        return (
            sum(spellings.fold(column) in known for column in columns),
            header is not None and len(names) == len(header),
            len(names),
        )

    return max(SEPARATORS, key=fit), False


def _check(path: Path, names: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in names:
            advice = (
                f"; columns are separated by {', '.join(list(SEPARATORS.values())[:-1])}, and this"
                " line has none"
                if len(names) == 1
                else ""
            )
            raise DataError(
                f"{path} has no column {column!r}: {spellings.hint(column, names)}{advice}"
            )
        if names.count(column) > 1:
            raise DataError(
                f"{path} has {names.count(column)} columns {column!r}: rename all but one"
            )


def _lines(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yields the line that a row begins in (quoted cells may span several), and its cells.

    Empty lines are skipped.
    """
    begin = 1
    for values in reader:
        if any(value.strip() for value in values):
            yield begin, [value.strip() for value in values]
        begin = reader.line_num + 1  # type: ignore[attr-defined]
