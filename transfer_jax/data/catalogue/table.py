"""Any folder of images with a CSV table: one row per image."""

from collections import Counter
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import classes, files, places, sheets, spellings
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.catalogue.gathering import Gathering
from transfer_jax.data.items import SPLITS, TRAIN_VAL, Item, Listing, split_named

CARD = Card(
    title="A folder of images with a CSV table",
    layout="labels.csv: one row per image, with a header; commas, semicolons or tabs between the cells\n"
    "the images, at the paths that the table gives, relative to the folder",
    labels="any columns: whole numbers from 0 on, or words, which become 0, 1, ... in order; a missing value is a missing label",
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
        "missing": OPTION,
    },
    required=("labels",),
)


def read(
    folder: Path,
    *,
    labels: str,
    table: str = "labels.csv",
    image: str = "image",
    patient: str = "patient",
    split: str = "split",
    missing: str = MISSING_WORDS,
) -> Listing:
    """Lists the images that the table names.

    Raises:
      DataError: the folder, the table or a column is missing, a cell that must be filled is empty, a
        label is none, or two rows contradict each other about an image.
    """
    columns = [spellings.plain(name) for name in labels.split(",")]
    if "" in columns or len(set(columns)) < len(columns):
        raise DataError(f"option labels={labels!r} must name different columns, separated by commas")
    path = sheets.inside(files.existing(folder), table, "option table")
    cells = Cells(missing)
    rows = sheets.read(path, [image, *filter(None, (patient, split)), *columns], cells=cells)
    values: dict[str, list[int]] = {}
    names: dict[str, list[str]] = {}
    notes: list[str] = []
    for column in columns:
        values[column], words, about = classes.column(rows, column)
        notes += about
        if words:
            names[column] = words
    named = [row.filled(image) for row in rows]
    found = places.find(folder, [(name, row.where) for name, row in zip(named, rows, strict=True)])
    gathered = Gathering(names)
    spelled: Counter[tuple[str, str]] = Counter()
    for i, (row, name, there) in enumerate(zip(rows, named, found.paths, strict=True)):
        file = there or sheets.inside(folder, name, row.where)
        key = file.relative_to(folder).as_posix()
        home = _split(row, split, spelled) if split else None
        who = row.name(patient) if patient else key
        gathered.add(Item(key, who, {column: values[column][i] for column in columns}, file, home), row)
    for (word, home), count in spelled.items():
        notes.append(f"column {split!r}: {word!r} ({count}) counts as {home!r}")
    if not patient:
        notes.append("no patients are given: every image counts as a patient of its own")
    files.check(gathered.items, f"table {path}", folder)
    return Listing(gathered.items, names, (*notes, *cells.notes(), *gathered.notes(), *found.notes))


def _split(row: sheets.Row, column: str, spelled: Counter[tuple[str, str]]) -> str:
    word = row.filled(column)
    home = split_named(word)
    if home is None:
        raise DataError(f"{row.where}: split {word!r} is none of {', '.join(SPLITS)}, {TRAIN_VAL}")
    if word != home:
        spelled[word, home] += 1
    return home
