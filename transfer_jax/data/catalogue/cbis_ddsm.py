"""CBIS-DDSM: digitised film mammograms with proven masses and calcifications."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.items import MISSING, TRAIN_VAL, Item, Listing

TABLES = {f"{kind}_case_description_{split}_set.csv": split for kind in ("mass", "calc") for split in ("train", "test")}
PATHOLOGIES = ("MALIGNANT", "BENIGN", "BENIGN_WITHOUT_CALLBACK")
COLUMNS = {"full": "image file path", "cropped": "cropped image file path"}
ENDINGS = (".dcm", ".png", ".jpg", ".jpeg")

CARD = Card(
    title="CBIS-DDSM",
    layout="mass_case_description_train_set.csv, mass_case_description_test_set.csv, calc_case_description_train_set.csv, ...\n"
    "the .dcm files at the tables' paths, here or in CBIS-DDSM/, or .png or .jpg files made from them in the same places",
    labels="malignant (0, 1; benign without callback is benign)",
    patient="column patient_id",
    split="the publisher's train and test; train is dealt by patient",
    licence="CC BY 3.0",
    citation="Lee et al., A curated mammography data set for use in computer-aided detection and diagnosis research, Scientific Data 2017",
    address="https://www.cancerimagingarchive.net/collection/cbis-ddsm/",
    channels=1,
    options={"images": "full mammograms, or cropped around each abnormality (default: full)", "missing": OPTION},
)


def read(folder: Path, *, images: str = "full", missing: str = MISSING_WORDS) -> Listing:
    """The images that the tables name.

    Raises:
      DataError: there is no table, a pathology is unknown, or no image is there.
    """
    column = COLUMNS[files.choice("images", images, tuple(COLUMNS))]
    levels = [level for level in (files.existing(folder), folder / "CBIS-DDSM") if level.is_dir()]
    tables = {level / name: split for level in levels for name, split in TABLES.items() if (level / name).is_file()}
    if not tables:
        raise DataError(f"{folder} has no {next(iter(TABLES))}: put the publisher's four tables there")
    cells = Cells(missing)
    found: dict[str, tuple[Item, sheets.Row]] = {}
    rows = 0
    for table, split in tables.items():
        for row in sheets.read(table, ("patient_id", "pathology", column), cells=cells):
            rows += 1
            named = row.filled(column)
            key, file = _place(levels, named, images, row.where)
            pathology = row.word("pathology", PATHOLOGIES)
            malignant = MISSING if pathology == MISSING else int(pathology == PATHOLOGIES.index("MALIGNANT"))
            item = Item(key, row.name("patient_id"), {"malignant": malignant}, file, split)
            before, line = found.setdefault(named, (item, row))
            if before is not item:
                found[named] = _merge(before, item, line, row), line
    items, notes = _independent(item for item, _ in found.values())
    if len(items) < rows:
        notes.append(f"{rows} abnormalities are on {len(items)} images: an image is malignant if one of its abnormalities is")
    files.check(items, f"{folder} (tables {', '.join(path.name for path in tables)})")
    return Listing(items, notes=(*notes, *cells.notes()))


def _place(levels: Iterable[Path], named: str, images: str, where: str) -> tuple[str, Path]:
    """The id and the file of an image: at the table's path, or elsewhere in the case's folder, as newer downloads have it."""
    for level in levels:
        path = sheets.inside(level, named, where)
        for ending in ENDINGS:
            if path.with_suffix(ending).is_file():
                return path.with_suffix(ending).relative_to(level).as_posix(), path.with_suffix(ending)
        case = level / path.relative_to(level).parts[0]
        there = sorted(file for file in case.rglob("*") if file.suffix.lower() in ENDINGS)
        if len(there) > 1:
            there = [file for file in there if images in file.relative_to(level).as_posix()]
        if len(there) == 1:
            return there[0].relative_to(level).as_posix(), there[0]
    return named, path


def _merge(first: Item, second: Item, before: sheets.Row, row: sheets.Row) -> Item:
    """An image with several abnormalities: malignant if one of them is, missing if that depends on one that is missing."""
    if first.patient != second.patient:
        where = f"line {before.line}" if before.path == row.path else before.where
        raise DataError(f"{row.where} and {where}: image {first.id} belongs to {second.patient} and to {first.patient}: take the publisher's tables")
    values = {first.labels["malignant"], second.labels["malignant"]}
    return dataclasses.replace(first, labels={"malignant": 1 if 1 in values else min(values)})


def _independent(items: Iterable[Item]) -> tuple[list[Item], list[str]]:
    """The items with their splits, no patient in two: masses and calcifications were split apart from each other."""
    items = list(items)
    tested = {item.patient for item in items if item.split == "test"}
    if not tested:
        return [dataclasses.replace(item, split=None) for item in items], ["there is no table of the test set: patients are dealt to all splits"]
    moved = [item for item in items if item.split == "train" and item.patient in tested]
    listed = [dataclasses.replace(item, split="test" if item.patient in tested else TRAIN_VAL) for item in items]
    if not moved:
        return listed, []
    who = len({item.patient for item in moved})
    return listed, [f"{len(moved)} training images of {who} patients who are also in the test set (masses and calcifications overlap) go to the test"]
