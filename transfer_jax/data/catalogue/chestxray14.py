"""NIH ChestX-ray14 (and ChestX-ray8, its first part): frontal chest X-rays with labels mined from reports."""

from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.items import MISSING, TRAIN_VAL, Item, Listing

TABLE = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
)  # fmt: skip
NO_FINDING = "No Finding"
VIEWS = ("PA", "AP")
SEXES = ("F", "M")
OLDEST = 120
UNITS = {"Y": 1, "M": 12, "D": 365}  # the first edition wrote ages as 058Y, 011M, 002D, and some above 400

CARD = Card(
    title="NIH ChestX-ray14",
    layout="Data_Entry_2017_v2020.csv (or Data_Entry_2017.csv)\nimages/*.png or images_001/images/*.png ... images_012/images/*.png\n"
    "train_val_list.txt, test_list.txt",
    labels="14 findings (0, 1), view (PA, AP), sex (F, M), age (years)",
    patient="column Patient ID",
    split="the publisher's two lists; train_val is dealt by patient. Without the lists everything is dealt",
    licence="no restriction on use; link to the publisher, cite the paper, acknowledge the NIH Clinical Center",
    citation="Wang et al., ChestX-ray8, CVPR 2017",
    address="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    channels=1,
)


def read(folder: Path) -> Listing:
    """The images that the table names and that are there; the archives may be unpacked in part.

    Raises:
      DataError: the table, the images or one of the lists is missing, or a cell holds what it must not.
    """
    table = next((folder / name for name in TABLE if (folder / name).is_file()), folder / TABLE[0])
    rows = sheets.read(table, ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position"))
    files = {path.name: path for pattern in ("images/*.png", "images_*/images/*.png", "images_*/*.png") for path in sorted(folder.glob(pattern))}
    if not files:
        raise DataError(f"{folder} has no images/*.png and no images_001/images/*.png: unpack the publisher's archives there")
    homes = _official(folder)
    items = []
    for row in rows:
        name = row.filled("Image Index")
        if name not in files:
            continue
        labels = _findings(row)
        for label, column, names in (("view", "View Position", VIEWS), ("sex", "Patient Gender", SEXES)):
            labels[label] = names.index(row[column]) if row[column] in names else MISSING
        labels["age"] = _years(row["Patient Age"])
        if homes and name not in homes:
            raise DataError(f"{row.where}: image {name} is in neither of train_val_list.txt and test_list.txt: take both lists from the publisher")
        items.append(Item(files[name].relative_to(folder).as_posix(), row.filled("Patient ID"), labels, files[name], homes.get(name)))
    if not items:
        raise DataError(f"{table} names none of the {len(files)} images in the folder, such as {min(files)}: take the publisher's files")
    notes = (f"{len(rows) - len(items)} of the table's {len(rows)} images are not in the folder",) if len(items) < len(rows) else ()
    return Listing(items, {"view": list(VIEWS), "sex": list(SEXES)}, notes)


def _findings(row: sheets.Row) -> dict[str, int]:
    found = set(row.filled("Finding Labels").split("|"))
    unknown = found - {*FINDINGS, NO_FINDING}
    if unknown:
        raise DataError(f"{row.where}: unknown finding {', '.join(sorted(unknown))!r}: one of {', '.join(FINDINGS)}, {NO_FINDING}")
    if NO_FINDING in found and len(found) > 1:
        raise DataError(f"{row.where}: {row['Finding Labels']!r} is a finding and none at once")
    return {name: int(name in found) for name in FINDINGS}


def _years(cell: str) -> int:
    digits, unit = (cell[:-1], cell[-1].upper()) if cell[-1:].upper() in UNITS else (cell, "Y")
    years = int(digits) // UNITS[unit] if digits.isdecimal() else MISSING
    return years if years <= OLDEST else MISSING


def _official(folder: Path) -> dict[str, str]:
    lists = {TRAIN_VAL: folder / "train_val_list.txt", "test": folder / "test_list.txt"}
    there = [path for path in lists.values() if path.is_file()]
    if not there:
        return {}
    if len(there) < len(lists):
        raise DataError(f"{folder} has {there[0].name} alone: it needs both train_val_list.txt and test_list.txt, or neither")
    names = {split: set(path.read_text(encoding="utf-8").split()) for split, path in lists.items()}
    both = names[TRAIN_VAL] & names["test"]
    if both:
        raise DataError(f"{min(both)} is in both of train_val_list.txt and test_list.txt: take both lists from the publisher")
    return {name: split for split, group in names.items() for name in group}
