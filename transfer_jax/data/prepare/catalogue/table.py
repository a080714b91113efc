"""Any folder of images with a CSV table: one row per image."""

from collections import Counter
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import SPLITS, TRAIN_VAL, Item, Listing, split_named, study_name
from transfer_jax.data.prepare.catalogue import (
    classes,
    places,
    raw_folders,
    row_texts,
    sheets,
    spellings,
)
from transfer_jax.data.prepare.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.prepare.catalogue.gathering import Gathering
from transfer_jax.data.prepare.catalogue.set_card import Card

CARD = Card(
    title="A folder of images with a CSV table",
    layout=(
        "labels.csv: one row per image, with a header; commas, semicolons or tabs between the"
        " cells\n"
        "the images, at the paths that the table gives, relative to the folder"
    ),
    labels=(
        "any columns: whole numbers from 0 on, or words, which become 0, 1, ... in order; a"
        " missing value is a missing label"
    ),
    patient="a column; without one every image counts as a patient of its own",
    split=(
        "a column of train, val, test (or train_val, which is dealt to the first two); without one"
        " everything is dealt by patient"
    ),
    licence="as the images' owner says",
    citation="as the images' owner says",
    address="your own",
    options={
        "labels": "label columns, separated by commas",
        "table": "the CSV file in the raw folder (default: labels.csv)",
        "image": "column of image paths, relative to the raw folder (default: image)",
        "patient": (
            "column of patients; empty: every image is a patient of its own (default: patient)"
        ),
        "study": (
            "column of examinations, whose names may begin anew with every patient; evaluation"
            " takes the views of one together (default: every image is an examination)"
        ),
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
    study: str = "",
    missing: str = MISSING_WORDS,
) -> Listing:
    """Lists the images that the table names.

    Raises:
      DataError: The folder, the table or a column is missing, a cell that must be filled is empty,
        a label is invalid, or two rows contradict each other about an image.
    """
    columns = _label_columns(labels)
    table_file = sheets.inside(raw_folders.existing(folder), table, "option table")
    cells = Cells(missing)
    needed = [image, *filter(None, (patient, split, study)), *columns]
    rows = sheets.read(table_file, needed, cells=cells)
    values: dict[str, list[int]] = {}
    names: dict[str, list[str]] = {}
    notes: list[str] = []
    for column in columns:
        values[column], words, column_notes = classes.column(rows, column)
        notes += column_notes
        if words:
            names[column] = words
    image_names = [row.filled(image) for row in rows]
    files = places.find(
        folder, [(name, row.where) for name, row in zip(image_names, rows, strict=True)]
    )
    gathered = Gathering(names)
    spelled: Counter[tuple[str, str]] = Counter()
    texts = row_texts.named(rows)
    for i, (row, name, path) in enumerate(zip(rows, image_names, files.paths, strict=True)):
        file = path or sheets.inside(folder, name, row.where)
        key = file.relative_to(folder).as_posix()
        home = _split(row, split, spelled) if split else None
        who = row.name(patient) if patient else key
        item = Item(
            key,
            who,
            {column: values[column][i] for column in columns},
            file,
            home,
            study_name(who, row.name(study)) if study else None,
            row_texts.Texts(row, texts),
        )
        gathered.add(item, row)
    for (word, home), count in spelled.items():
        notes.append(f"column {split!r}: {word!r} ({count}) counts as {home!r}")
    if not patient:
        notes.append("no patients are given: every image counts as a patient of its own")
    raw_folders.check(gathered.items, f"table {table_file}", folder)
    notes += [*cells.notes(), *gathered.notes(), *files.notes]
    return Listing(gathered.items, names, tuple(notes), gathered.contradictions)


def _label_columns(labels: str) -> list[str]:
    columns = [spellings.plain(name) for name in labels.split(",")]
    if "" in columns or len(set(columns)) < len(columns):
        raise DataError(
            f"option labels={labels!r} must name different columns, separated by commas"
        )
    return columns


def _split(row: sheets.Row, column: str, spelled: Counter[tuple[str, str]]) -> str:
    """Returns the split of a row; words that are spelled otherwise are counted in `spelled`."""
    word = row.filled(column)
    home = split_named(word)
    if home is None:
        raise DataError(f"{row.where}: split {word!r} is none of {', '.join(SPLITS)}, {TRAIN_VAL}")
    if word != home:
        spelled[word, home] += 1
    return home
