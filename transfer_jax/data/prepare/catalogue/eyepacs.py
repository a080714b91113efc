"""Kaggle's diabetic retinopathy detection: EyePACS photographs of both eyes."""

from pathlib import Path, PurePosixPath

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import TRAIN_VAL, Item, Listing
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

GRADES = ("No DR", "Mild", "Moderate", "Severe", "Proliferative DR")
EYES = ("left", "right")
TRAIN, TEST = "trainLabels.csv", "retinopathy_solution.csv"

CARD = Card(
    title="EyePACS, Kaggle's diabetic retinopathy detection",
    layout=(
        "trainLabels.csv\n"
        "train/*.jpeg\n"
        "retinopathy_solution.csv and test/*.jpeg, when the test set is wanted"
    ),
    labels="grade (0-4: no, mild, moderate, severe, proliferative DR), eye (left, right)",
    patient="the number before _left or _right",
    split=(
        "Kaggle's test, public and private, where it is there, alone or beside train; train is"
        " dealt by patient"
    ),
    licence="the competition's rules: not to be passed on",
    citation="EyePACS and Kaggle, Diabetic Retinopathy Detection, 2015",
    address="https://www.kaggle.com/c/diabetic-retinopathy-detection",
    options={"missing": OPTION},
)


def read(folder: Path, *, missing: str = MISSING_WORDS) -> Listing:
    """Lists the images that the tables name.

    Raises:
      DataError: The table of the training images is missing, and that of the test images, too; a
        level is none of 0-4, the name of an image tells no eye, two rows contradict each other, or
        there are no images.
    """
    names = {"grade": list(GRADES), "eye": list(EYES)}
    cells, gathered = Cells(missing), Gathering(names)
    tested = (folder / TEST).is_file() and (folder / "test").is_dir()
    notes = []
    if not tested or (folder / TRAIN).is_file():
        notes += _gather(folder, TRAIN, "train", TRAIN_VAL if tested else None, cells, gathered)
    if tested:
        notes += _gather(folder, TEST, "test", "test", cells, gathered)
        note = "the public and the private images of Kaggle's test set are both in the split 'test'"
    else:
        note = (
            f"there is no {TEST} with test/: the training images are dealt to train, val and test"
            " by patient"
        )
    notes = [note, *cells.notes(), *gathered.notes(), *notes]
    return Listing(gathered.items, names, tuple(notes), gathered.contradictions)


def _gather(
    folder: Path, table: str, images: str, split: str | None, cells: Cells, gathered: Gathering
) -> list[str]:
    """Adds the images of a table; returns notes on the files that were found."""
    rows = sheets.read(folder / table, ("image", "level"), cells=cells)
    names = [PurePosixPath(row.filled("image")) for row in rows]
    names = [
        name.with_suffix("") if name.suffix.lower() in raw_folders.ENDINGS else name
        for name in names
    ]
    ending = next(iter(_endings(folder / images)), ".jpeg")
    files = places.find(
        folder / images,
        [(f"{name}{ending}", row.where) for name, row in zip(names, rows, strict=True)],
    )
    first = len(gathered.items)
    columns = row_texts.named(rows)
    for row, name, path in zip(rows, names, files.paths, strict=True):
        patient, _, eye = str(name).rpartition("_")
        if not patient or eye.casefold() not in EYES:
            raise DataError(
                f"{row.where}: image {str(name)!r} must be a number with _left or _right"
            )
        file = path or folder / images / f"{name}{ending}"
        labels = {
            "grade": row.number("level", range(len(GRADES))),
            "eye": EYES.index(eye.casefold()),
        }
        key = file.relative_to(folder).as_posix()
        texts = row_texts.Texts(row, columns, {"eye": eye})
        item = Item(key, spellings.name(patient), labels, file, split, columns=texts)
        gathered.add(item, row)
    raw_folders.check(gathered.items[first:], f"table {folder / table}", folder / images)
    return files.notes


def _endings(folder: Path) -> list[str]:
    """Returns the ending that all images in the folder have instead of the publisher's, if any."""
    endings = {path.suffix for path in raw_folders.images(folder)}
    return [] if ".jpeg" in endings or len(endings) != 1 else list(endings)
