"""A folder of images with a CSV table: one row an image."""

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from transfer_jax.core.errors import DataError
from transfer_jax.core.names import nearest
from transfer_jax.data import images, splits
from transfer_jax.data.spec import MISSING, Row

SPLITS = ("train", "val", "test")
_THREADS = 4
_WINDOW = 64


class Columns(NamedTuple):
    """The table's columns: image path (relative to the folder), patient, split (None: dealt by patient, 80/10/10), labels."""

    image: str
    patient: str
    split: str | None
    labels: tuple[str, ...]


class Table(NamedTuple):
    """The table, read and checked: per image its path, patient, split and labels; `names` of the labels that were words."""

    folder: Path
    paths: list[str]
    patients: list[str]
    splits: list[str]
    labels: list[dict[str, int]]
    names: dict[str, list[str]]


def read(folder: str | Path, table: str, columns: Columns, limit: int | None = None) -> Table:
    """Reads `folder/table`, a CSV file with a header.

    A label is a whole number, or a word (then the sorted words become 0, 1, ...); an empty cell is a missing label.

    Raises:
      DataError: the folder, the file or a column is missing, a cell that must be filled is empty, or a split has no known name.
    """
    folder = Path(folder)
    path = folder / table
    if not path.is_file():
        what = f"table {path} is missing" if folder.is_dir() else f"data folder {folder} does not exist"
        raise DataError(f"{what}: give the folder that holds the images and its CSV file's name")
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header = list(reader.fieldnames or ())
        wanted = [columns.image, columns.patient, *([columns.split] if columns.split else []), *columns.labels]
        for column in wanted:
            if column not in header:
                raise DataError(f"{path} has no column {column!r}: {nearest(column, header)}")
        rows = list(reader)[:limit]
    if not rows:
        raise DataError(f"{path} has a header and no rows")
    for number, row in enumerate(rows, start=2):
        for column in wanted[: len(wanted) - len(columns.labels)]:
            if not row[column]:
                raise DataError(f"{path}, line {number}: empty cell in column {column!r}")
        if columns.split and row[columns.split] not in SPLITS:
            raise DataError(f"{path}, line {number}: split {row[columns.split]!r} is none of {', '.join(SPLITS)}")
    patients = [row[columns.patient] for row in rows]
    parts = [row[columns.split] for row in rows] if columns.split else splits.by_patient(patients, {"train": 0.8, "val": 0.1, "test": 0.1})
    values, names = {}, {}
    for label in columns.labels:
        values[label], words = _integers([row[label] or "" for row in rows])
        if words:
            names[label] = words
    labels = [{label: values[label][i] for label in columns.labels} for i in range(len(rows))]
    return Table(folder, [row[columns.image] for row in rows], patients, parts, labels, names)


def _integers(cells: Sequence[str]) -> tuple[list[int], list[str]]:
    """Cells as integers, and the words they stood for where they were no numbers."""
    filled = {cell for cell in cells if cell}
    try:
        numbers = {cell: int(float(cell)) for cell in filled if float(cell).is_integer() and float(cell) >= 0}
    except (ValueError, OverflowError):
        numbers = {}
    if len(numbers) == len(filled):
        return [numbers[cell] if cell else MISSING for cell in cells], []
    words = sorted(filled)
    return [words.index(cell) if cell else MISSING for cell in cells], words


def rows(table: Table, *, size: int, channels: int, fit: str) -> Iterator[Row]:
    """The table's images, decoded and resized by several threads, in the table's order.

    Raises:
      DataError: an image is missing or unreadable.
    """

    def load(i: int) -> Row:
        path = table.folder / table.paths[i]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"image {path} cannot be opened ({error.strerror}): the table names it in data row {i + 1}") from error
        image = images.resize(images.decode(data, channels, path), size, fit)
        return Row(table.paths[i], table.patients[i], table.splits[i], table.labels[i], image)

    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(table.paths), _WINDOW):  # a window at a time keeps memory small and stops soon after an error
            yield from pool.map(load, range(start, min(start + _WINDOW, len(table.paths))))
