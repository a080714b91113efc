"""ISIC 2018, task 3: dermoscopic images of seven kinds of skin lesions (HAM10000)."""

from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, places, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.catalogue.gathering import Gathering
from transfer_jax.data.items import MISSING, TRAIN_VAL, Item, Listing

DIAGNOSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
PARTS = {"Training": "train", "Validation": "val", "Test": "test"}
_PREFIX = "ISIC2018_Task3_"
_GROUPINGS = "ISIC2018_Task3_Training_LesionGroupings.csv"

CARD = Card(
    title="ISIC 2018, task 3 (HAM10000)",
    layout="ISIC2018_Task3_{Training,Validation,Test}_Input/*.jpg\n"
    "ISIC2018_Task3_{Training,Validation,Test}_GroundTruth/ISIC2018_Task3_{Training,Validation,Test}_GroundTruth.csv\n"
    "ISIC2018_Task3_Training_LesionGroupings.csv, here or with the training labels",
    labels="diagnosis (MEL, NV, BCC, AKIEC, BKL, DF, VASC)",
    patient="the lesion, for training images with the table of lesions; otherwise every image counts as a patient of its own",
    split="the publisher's where validation or test is there; otherwise dealt by lesion",
    licence="CC BY-NC 4.0",
    citation="Tschandl et al., The HAM10000 dataset, Scientific Data 2018; Codella et al., arXiv 1902.03368",
    address="https://challenge.isic-archive.com/data/#2018",
    options={"missing": OPTION},
)


def read(folder: Path, *, missing: str = MISSING_WORDS) -> Listing:
    """Lists the images that the tables of the parts name.

    Raises:
      DataError: the training part is missing, an image has several diagnoses or none, two rows contradict
        each other, or no image of a part is there.
    """
    cells, gathered = Cells(missing), Gathering({"diagnosis": DIAGNOSES})
    files.existing(folder)
    parts = [part for part in PARTS if (folder / f"{_PREFIX}{part}_GroundTruth").is_dir() or part == "Training"]
    homes: dict[str, str | None] = {part: PARTS[part] for part in parts}
    if "Validation" not in parts:
        homes["Training"] = TRAIN_VAL if "Test" in parts else None
    lesions = _lesions(folder, cells)
    notes = [] if lesions else [f"there is no {_GROUPINGS}: images of one lesion may be in several splits"]
    for part in parts:
        table = folder / f"{_PREFIX}{part}_GroundTruth" / f"{_PREFIX}{part}_GroundTruth.csv"
        rows = sheets.read(table, ("image", *DIAGNOSES), cells=cells)
        names = [row.filled("image").removesuffix(".jpg") for row in rows]
        images = folder / f"{_PREFIX}{part}_Input"
        found = places.find(images, [(f"{name}.jpg", row.where) for name, row in zip(names, rows, strict=True)])
        first = len(gathered.items)
        for row, name, there in zip(rows, names, found.paths, strict=True):
            if part == "Training" and lesions and name not in lesions:
                raise DataError(f"{row.where}: image {name} is not in {_GROUPINGS}: take both tables from the publisher")
            file = there or images / f"{name}.jpg"
            key = file.relative_to(folder).as_posix()
            patient = lesions[name] if part == "Training" and lesions else key
            gathered.add(Item(key, patient, {"diagnosis": _diagnosis(row, name)}, file, homes[part]), row)
        files.check(gathered.items[first:], f"table {table}", images)
        notes += found.notes
    return Listing(gathered.items, {"diagnosis": list(DIAGNOSES)}, (*notes, *cells.notes(), *gathered.notes()))


def _diagnosis(row: sheets.Row, name: str) -> int:
    """The place of the only diagnosis that is 1; missing where all cells are."""
    values = [row.number(diagnosis, (0, 1)) for diagnosis in DIAGNOSES]
    if set(values) == {MISSING}:
        return MISSING
    if MISSING in values:
        raise DataError(f"{row.where}: image {name} has no value for {DIAGNOSES[values.index(MISSING)]}: write 0 or 1, or leave all diagnoses blank")
    if values.count(1) != 1:
        raise DataError(f"{row.where}: image {name} has {values.count(1)} diagnoses: exactly one of {', '.join(DIAGNOSES)} must be 1")
    return values.index(1)


def _lesions(folder: Path, cells: Cells) -> dict[str, str]:
    """Image -> lesion, where the table is there."""
    levels = (folder / _GROUPINGS, folder / f"{_PREFIX}Training_GroundTruth" / _GROUPINGS)
    table = next((level for level in levels if level.is_file()), None)
    if table is None:
        return {}
    lesions: dict[str, tuple[str, sheets.Row]] = {}
    for row in sheets.read(table, ("image", "lesion_id"), cells=cells):
        lesion, before = lesions.setdefault(row.filled("image").removesuffix(".jpg"), (row.name("lesion_id"), row))
        if lesion != row.name("lesion_id"):
            raise DataError(f"{row.where} and line {before.line}: image {row['image']} has the lesions {row['lesion_id']} and {lesion}: keep one row")
    return {image: lesion for image, (lesion, _) in lesions.items()}
