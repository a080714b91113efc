"""Any folder of images with a CSV table: one row an image."""

from collections.abc import Sequence
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.items import MISSING, SPLITS, TRAIN_VAL, Item, Listing

EMPTY = ("", "nan")
LARGEST = 2**31

CARD = Card(
    title="A folder of images with a CSV table",
    layout="labels.csv: one row an image, with a header\nthe images, at the paths that the table gives, relative to the folder",
    labels="any columns: whole numbers from 0 on, or words, which become 0, 1, ... in sorted order; an empty cell is a missing label",
    patient="a column; without one every image counts as a patient of its own",
    split="a column of train, val, test (or train_val, which is dealt to the first two); without one everything is dealt by patient",
    licence="as the images' owner says",
    citation="as the images' owner says",
    address="your own",
    options={
        "labels": "label columns, separated by commas",
        "table": "the CSV file in the raw folder (default: labels.csv)",
        "image": "column of image paths, relative to the raw folder (default: image)",
        "patient": "column of patients; empty: every image is a patient of its own (default: patient)",
        "split": "column of train, val, test and train_val; empty: deal patients (default: split)",
    },
    required=("labels",),
)


def read(folder: Path, *, labels: str, table: str = "labels.csv", image: str = "image", patient: str = "patient", split: str = "split") -> Listing:
    """The images that the table names.

    Raises:
      DataError: the folder, the table or a column is missing, a cell that must be filled is empty, or a number or split is not allowed.
    """
    columns = [name.strip() for name in labels.split(",")]
    if "" in columns or len(set(columns)) < len(columns):
        raise DataError(f"option labels={labels!r} must name different columns, separated by commas")
    path = sheets.inside(files.existing(folder), table, "option table")
    rows = sheets.read(path, [image, *filter(None, (patient, split)), *columns])
    values, names, notes = {}, {}, []
    for column in columns:
        values[column], words = _values(rows, column)
        if words:
            names[column] = words
            if any(word.isdecimal() for word in words):
                notes.append(f"column {column!r} holds words and numbers, so that all of them count as words: {', '.join(words)}")
    items = []
    for i, row in enumerate(rows):
        file = sheets.inside(folder, row.filled(image), row.where)
        name = file.relative_to(folder).as_posix()
        home = row.filled(split) if split else None
        if home not in (None, *SPLITS, TRAIN_VAL):
            raise DataError(f"{row.where}: split {home!r} is none of {', '.join(SPLITS)}, {TRAIN_VAL}")
        items.append(Item(name, row.filled(patient) if patient else name, {column: values[column][i] for column in columns}, file, home))
    if not patient:
        notes.append("no patients are given: every image counts as a patient of its own")
    files.check(items, f"table {path}")
    return Listing(items, names, tuple(notes))


def _values(rows: Sequence[sheets.Row], column: str) -> tuple[list[int], list[str]]:
    """A column as whole numbers, and the words that they stand for where the cells were no numbers."""
    cells = ["" if row[column].lower() in EMPTY else row[column] for row in rows]
    words = sorted(set(cells) - {""})
    if not words:
        raise DataError(f"{rows[0].path}: column {column!r} is empty in every row: there is nothing to learn")
    if all(map(_is_number, words)):
        return [row.number(column, range(LARGEST)) if cell else MISSING for row, cell in zip(rows, cells, strict=True)], []
    code = {word: i for i, word in enumerate(words)} | {"": MISSING}
    return [code[cell] for cell in cells], words


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
