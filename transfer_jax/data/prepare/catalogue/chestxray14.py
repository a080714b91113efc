"""NIH ChestX-ray14, and ChestX-ray8, its first part: X-rays with labels mined from reports."""

import math
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, TRAIN_VAL, Item, Listing
from transfer_jax.data.prepare.catalogue import (
    places,
    raw_folders,
    row_texts,
    sheets,
    spellings,
)
from transfer_jax.data.prepare.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.prepare.catalogue.gathering import Gathering
from transfer_jax.data.prepare.catalogue.set_card import Card

TABLE = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
COLUMNS = (
    "Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position",
)  # fmt: skip
FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia",
    "Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening",
    "Hernia",
)  # fmt: skip
NO_FINDING = "No Finding"
HOMES = ("images", "images_*/images", "images_*")
VIEWS = ("PA", "AP")
SEXES = ("F", "M")
OLDEST = 120
# Names under which columns can be kept, beside their own.
ALIASES = {
    "age": "Patient Age", "sex": "Patient Gender", "view": "View Position",
    "follow_up": "Follow-up #",
}  # fmt: skip
# The first edition wrote ages as 058Y, 011M or 002D, some of them above 400 years.
UNITS = {"Y": 1, "M": 12, "D": 365}

CARD = Card(
    title="NIH ChestX-ray14",
    layout=(
        "Data_Entry_2017_v2020.csv (or Data_Entry_2017.csv)\n"
        "images/*.png or images_001/images/*.png ... images_012/images/*.png\n"
        "train_val_list.txt, test_list.txt"
    ),
    labels="14 findings (0, 1), view (PA, AP), sex (F, M), age (years)",
    patient="column Patient ID",
    split=(
        "the publisher's two lists; train_val is dealt by patient. Without the lists everything is"
        " dealt"
    ),
    licence=(
        "no restriction on use; link to the publisher, cite the paper, acknowledge the NIH"
        " Clinical Center"
    ),
    citation="Wang et al., ChestX-ray8, CVPR 2017",
    address="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    channels=1,
    options={"missing": OPTION},
)


def read(folder: Path, *, missing: str = MISSING_WORDS) -> Listing:
    """Lists the images that the table names and that exist; the archives may be unpacked in part.

    Raises:
      DataError: The table, the images or one of the lists is missing, a cell has a forbidden
        value, or two rows contradict each other.
    """
    cells, gathered = Cells(missing), Gathering()
    table = next((folder / name for name in TABLE if (folder / name).is_file()), folder / TABLE[0])
    rows = sheets.read(table, COLUMNS, cells=cells)
    images = raw_folders.images_below(folder)
    if not images:
        raise DataError(
            f"{folder} has no images/*.png and no images_001/images/*.png: unpack the publisher's"
            " archives there"
        )
    split_of = _official(folder)
    names = [row.filled("Image Index") for row in rows]
    files = places.find(
        folder, [(name, row.where) for name, row in zip(names, rows, strict=True)], HOMES
    )
    columns = row_texts.named(rows, ALIASES)
    for row, name, file in zip(rows, names, files.paths, strict=True):
        if file is None:
            continue
        labels = _labels(row)
        if split_of and name not in split_of:
            raise DataError(
                f"{row.where}: image {name} is in neither of train_val_list.txt and test_list.txt:"
                " take both lists from the publisher"
            )
        key, patient = file.relative_to(folder).as_posix(), row.name("Patient ID")
        texts = row_texts.Texts(row, columns)
        item = Item(key, patient, labels, file, split_of.get(name), columns=texts)
        gathered.add(item, row)
    if not gathered.items:
        raise DataError(
            f"{table} names none of the {len(images)} images in the folder, such as"
            f" {images[0].name}: take the publisher's files"
        )
    absent = files.paths.count(None)
    notes = [f"{absent} of the table's {len(rows)} images are not in the folder"] if absent else []
    notes += [*cells.notes(), *gathered.notes(), *files.notes]
    values = {"view": list(VIEWS), "sex": list(SEXES)}
    return Listing(gathered.items, values, tuple(notes), gathered.contradictions)


def _labels(row: sheets.Row) -> dict[str, int]:
    labels = _findings(row)
    labels["view"] = row.word("View Position", VIEWS, strict=False)
    labels["sex"] = row.word("Patient Gender", SEXES, strict=False)
    labels["age"] = MISSING if row.missing("Patient Age") else _years(row["Patient Age"])
    return labels


def _findings(row: sheets.Row) -> dict[str, int]:
    if row.missing("Finding Labels"):
        return dict.fromkeys(FINDINGS, MISSING)
    known = {spellings.fold(name.replace("_", " ")): name for name in (*FINDINGS, NO_FINDING)}
    listed = [spellings.fold(name.replace("_", " ")) for name in row["Finding Labels"].split("|")]
    unknown = sorted(
        {
            word
            for word in row["Finding Labels"].split("|")
            if spellings.fold(word.replace("_", " ")) not in known
        }
    )
    if unknown:
        raise DataError(
            f"{row.where}: unknown finding {', '.join(unknown)!r}: one of {', '.join(FINDINGS)},"
            f" {NO_FINDING}"
        )
    present = {known[word] for word in listed}
    if NO_FINDING in present and len(present) > 1:
        raise DataError(f"{row.where}: {row['Finding Labels']!r} is a finding and none at once")
    return {name: int(name in present) for name in FINDINGS}


def _years(cell: str) -> int:
    """Returns the age in whole years that "58", "058Y", "58.0" or "011M" writes; `MISSING` where
    the cell writes no age, or one above `OLDEST`.
    """
    digits, unit = (cell[:-1], cell[-1].upper()) if cell[-1:].upper() in UNITS else (cell, "Y")
    try:
        value = spellings.number(digits)
    except ValueError:
        value = None
    years = MISSING if value is None or not 0 <= value < math.inf else int(value) // UNITS[unit]
    return years if years <= OLDEST else MISSING


def _official(folder: Path) -> dict[str, str]:
    """Returns image -> split of the publisher's two lists; empty where neither list exists."""
    lists = {TRAIN_VAL: folder / "train_val_list.txt", "test": folder / "test_list.txt"}
    existing = [path for path in lists.values() if path.is_file()]
    if not existing:
        return {}
    if len(existing) < len(lists):
        raise DataError(
            f"{folder} has {existing[0].name} alone: it needs both train_val_list.txt and"
            " test_list.txt, or neither"
        )
    names = {split: set(sheets.text(path).split()) for split, path in lists.items()}
    both = names[TRAIN_VAL] & names["test"]
    if both:
        raise DataError(
            f"{min(both)} is in both of train_val_list.txt and test_list.txt: take both lists from"
            " the publisher"
        )
    return {name: split for split, group in names.items() for name in group}
