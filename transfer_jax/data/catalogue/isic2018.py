"""ISIC 2018, task 3: dermoscopic images of seven kinds of skin lesions (HAM10000)."""

from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.items import TRAIN_VAL, Item, Listing

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
)


def read(folder: Path) -> Listing:
    """The images that the tables of the parts name.

    Raises:
      DataError: the training part is missing, an image has not exactly one diagnosis, or no image of a part is there.
    """
    files.existing(folder)
    there = [part for part in PARTS if (folder / f"{_PREFIX}{part}_GroundTruth").is_dir() or part == "Training"]
    homes: dict[str, str | None] = {part: PARTS[part] for part in there}
    if "Validation" not in there:
        homes["Training"] = TRAIN_VAL if "Test" in there else None
    lesions = _lesions(folder)
    items: list[Item] = []
    for part in there:
        table = folder / f"{_PREFIX}{part}_GroundTruth" / f"{_PREFIX}{part}_GroundTruth.csv"
        found = []
        for row in sheets.read(table, ("image", *DIAGNOSES)):
            name = row.filled("image")
            values = [row.number(diagnosis, (0, 1)) for diagnosis in DIAGNOSES]
            if sum(values) != 1:
                raise DataError(f"{row.where}: image {name} has {sum(values)} diagnoses: exactly one of {', '.join(DIAGNOSES)} must be 1")
            if part == "Training" and lesions and name not in lesions:
                raise DataError(f"{row.where}: image {name} is not in {_GROUPINGS}: take both tables from the publisher")
            file = sheets.inside(folder, f"{_PREFIX}{part}_Input/{name}.jpg", row.where)
            key = file.relative_to(folder).as_posix()
            patient = lesions[name] if part == "Training" and lesions else key
            found.append(Item(key, patient, {"diagnosis": values.index(1)}, file, homes[part]))
        files.check(found, f"table {table}")
        items += found
    notes = () if lesions else (f"there is no {_GROUPINGS}: images of one lesion may be in several splits",)
    return Listing(items, {"diagnosis": list(DIAGNOSES)}, notes)


def _lesions(folder: Path) -> dict[str, str]:
    """Image -> lesion, where the table is there."""
    places = (folder / _GROUPINGS, folder / f"{_PREFIX}Training_GroundTruth" / _GROUPINGS)
    table = next((place for place in places if place.is_file()), None)
    if table is None:
        return {}
    return {row.filled("image"): row.filled("lesion_id") for row in sheets.read(table, ("image", "lesion_id"))}
