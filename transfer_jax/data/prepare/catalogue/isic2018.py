"""ISIC 2018, task 3: dermoscopic images of seven kinds of skin lesions (HAM10000)."""

from collections.abc import Mapping, Sequence
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

DIAGNOSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
PARTS = {"Training": "train", "Validation": "val", "Test": "test"}
_PREFIX = "ISIC2018_Task3_"
_GROUPINGS = "ISIC2018_Task3_Training_LesionGroupings.csv"
# The table of HAM10000 itself, which tells age, sex and localisation of the training images.
METADATA = ("HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab")

CARD = Card(
    title="ISIC 2018, task 3 (HAM10000)",
    layout=(
        "ISIC2018_Task3_{Training,Validation,Test}_Input/*.jpg\n"
        "ISIC2018_Task3_{Training,Validation,Test}_GroundTruth/"
        "ISIC2018_Task3_{Training,Validation,Test}_GroundTruth.csv\n"
        "ISIC2018_Task3_Training_LesionGroupings.csv, here or with the training labels\n"
        "HAM10000_metadata.csv in the same places, when age and sex are to be kept"
    ),
    labels="diagnosis (MEL, NV, BCC, AKIEC, BKL, DF, VASC)",
    patient=(
        "the lesion, for training images with the table of lesions; otherwise every image counts"
        " as a patient of its own"
    ),
    split="the publisher's where validation or test is there; otherwise dealt by lesion",
    licence="CC BY-NC 4.0",
    citation=(
        "Tschandl et al., The HAM10000 dataset, Scientific Data 2018; Codella et al., arXiv"
        " 1902.03368"
    ),
    address="https://challenge.isic-archive.com/data/#2018",
    options={"missing": OPTION},
)


def read(folder: Path, *, missing: str = MISSING_WORDS) -> Listing:
    """Lists the images that the tables of the parts name.

    Raises:
      DataError: No part is there, an image has several diagnoses or none, two rows
        contradict each other, or a part has no images.
    """
    cells, gathered = Cells(missing), Gathering({"diagnosis": DIAGNOSES})
    raw_folders.existing(folder)
    parts = [part for part in PARTS if (folder / f"{_PREFIX}{part}_GroundTruth").is_dir()]
    parts = parts or ["Training"]
    homes: dict[str, str | None] = {part: PARTS[part] for part in parts}
    if "Validation" not in parts:
        homes["Training"] = TRAIN_VAL if "Test" in parts else None
    lesions = _rows_by_image(folder, (_GROUPINGS,), ("image", "lesion_id"), cells)
    metadata = _rows_by_image(folder, METADATA, ("image_id", "age", "sex"), cells)
    notes = []
    if "Training" not in parts:
        notes.append(f"there is no {_PREFIX}Training_GroundTruth: nothing is there to train on")
    elif not lesions:
        notes.append(f"there is no {_GROUPINGS}: images of one lesion may be in several splits")
    for part in parts:
        table = folder / f"{_PREFIX}{part}_GroundTruth" / f"{_PREFIX}{part}_GroundTruth.csv"
        rows = sheets.read(table, ("image", *DIAGNOSES), cells=cells)
        names = [row.filled("image").removesuffix(".jpg") for row in rows]
        images = folder / f"{_PREFIX}{part}_Input"
        files = places.find(
            images, [(f"{name}.jpg", row.where) for name, row in zip(names, rows, strict=True)]
        )
        first, columns = len(gathered.items), row_texts.named(rows)
        for row, name, path in zip(rows, names, files.paths, strict=True):
            lesion = lesions.get(name) if part == "Training" else None
            if part == "Training" and lesions and lesion is None:
                raise DataError(
                    f"{row.where}: image {name} is not in {_GROUPINGS}: take both tables from the"
                    " publisher"
                )
            file = path or images / f"{name}.jpg"
            key = file.relative_to(folder).as_posix()
            patient = lesion[0].name("lesion_id") if lesion else key
            more = {**_texts(metadata.get(name)), **_texts(lesion)}
            texts = row_texts.Texts(row, columns, more)
            labels = {"diagnosis": _diagnosis(row, name)}
            gathered.add(Item(key, patient, labels, file, homes[part], columns=texts), row)
        raw_folders.check(gathered.items[first:], f"table {table}", images)
        notes += files.notes
    notes += [*cells.notes(), *gathered.notes()]
    return Listing(
        gathered.items, {"diagnosis": list(DIAGNOSES)}, tuple(notes), gathered.contradictions
    )


def _texts(entry: tuple[sheets.Row, dict[str, str]] | None) -> Mapping[str, str]:
    return {} if entry is None else row_texts.Texts(*entry)


def _diagnosis(row: sheets.Row, name: str) -> int:
    """Returns the place of the only diagnosis that is 1; missing where all cells are."""
    values = [row.number(diagnosis, (0, 1)) for diagnosis in DIAGNOSES]
    if set(values) == {MISSING}:
        return MISSING
    if MISSING in values:
        raise DataError(
            f"{row.where}: image {name} has no value for {DIAGNOSES[values.index(MISSING)]}: write"
            " 0 or 1, or leave all diagnoses blank"
        )
    if values.count(1) != 1:
        raise DataError(
            f"{row.where}: image {name} has {values.count(1)} diagnoses: exactly one of"
            f" {', '.join(DIAGNOSES)} must be 1"
        )
    return values.index(1)


def _rows_by_image(
    folder: Path, names: Sequence[str], columns: Sequence[str], cells: Cells
) -> dict[str, tuple[sheets.Row, dict[str, str]]]:
    """Returns image -> its row in the first of the tables that exists, and the columns that it has.

    Args:
      folder: The raw folder.
      names: Names that the table may have, there or beside the labels of the training images.
      columns: Columns that it must have; the first one names the image, and rows of one image must
        not differ in the second.
      cells: The rule by which cells are read.
    """
    levels = (folder, folder / f"{_PREFIX}Training_GroundTruth")
    tables = [level / name for level in levels for name in names if (level / name).is_file()]
    if not tables:
        return {}
    image, value = columns[:2]
    rows = sheets.read(tables[0], columns, cells=cells)
    texts = {name: column for name, column in row_texts.named(rows).items() if column != image}
    by_image: dict[str, tuple[sheets.Row, dict[str, str]]] = {}
    for row in rows:
        before, _ = by_image.setdefault(row.filled(image).removesuffix(".jpg"), (row, texts))
        if spellings.name(before[value]) != spellings.name(row[value]):
            what = "lesions" if value == "lesion_id" else f"{value}s"
            raise DataError(
                f"{row.where} and line {before.line}: image {row[image]} has the {what}"
                f" {row[value]} and {before[value]}: keep one row"
            )
    return by_image
