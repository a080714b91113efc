"""Kaggle's diabetic retinopathy detection: EyePACS photographs of both eyes."""

from pathlib import Path, PurePosixPath

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, places, sheets, spellings
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.catalogue.gathering import Gathering
from transfer_jax.data.items import TRAIN_VAL, Item, Listing

GRADES = ("No DR", "Mild", "Moderate", "Severe", "Proliferative DR")
EYES = ("left", "right")
TRAIN, TEST = "trainLabels.csv", "retinopathy_solution.csv"

CARD = Card(
    title="EyePACS, Kaggle's diabetic retinopathy detection",
    layout="trainLabels.csv\ntrain/*.jpeg\nretinopathy_solution.csv and test/*.jpeg, when the test set is wanted",
    labels="grade (0-4: no, mild, moderate, severe, proliferative DR), eye (left, right)",
    patient="the number before _left or _right",
    split="Kaggle's test, public and private, where it is there; train is dealt by patient",
    licence="the competition's rules: not to be passed on",
    citation="EyePACS and Kaggle, Diabetic Retinopathy Detection, 2015",
    address="https://www.kaggle.com/c/diabetic-retinopathy-detection",
    options={"missing": OPTION},
)


def read(folder: Path, *, missing: str = MISSING_WORDS) -> Listing:
    """Lists the images that the tables name.

    Raises:
      DataError: the table of the training images is missing, a level is none of 0-4, an image's name tells
        no eye, two rows contradict each other, or no image is there.
    """
    names = {"grade": list(GRADES), "eye": list(EYES)}
    cells, gathered = Cells(missing), Gathering(names)
    tested = (folder / TEST).is_file() and (folder / "test").is_dir()
    notes = _gather(folder, TRAIN, "train", TRAIN_VAL if tested else None, cells, gathered)
    if tested:
        notes += _gather(folder, TEST, "test", "test", cells, gathered)
        note = "the public and the private images of Kaggle's test set are both in the split 'test'"
    else:
        note = f"there is no {TEST} with test/: the training images are dealt to train, val and test by patient"
    return Listing(gathered.items, names, (note, *cells.notes(), *gathered.notes(), *notes))


def _gather(folder: Path, table: str, images: str, split: str | None, cells: Cells, gathered: Gathering) -> list[str]:
    """Adds the images of a table; returns notes on the files that were found."""
    rows = sheets.read(folder / table, ("image", "level"), cells=cells)
    names = [PurePosixPath(row.filled("image")) for row in rows]
    names = [name.with_suffix("") if name.suffix.lower() in files.ENDINGS else name for name in names]
    ending = next(iter(_endings(folder / images)), ".jpeg")
    found = places.find(folder / images, [(f"{name}{ending}", row.where) for name, row in zip(names, rows, strict=True)])
    first = len(gathered.items)
    for row, name, there in zip(rows, names, found.paths, strict=True):
        patient, _, eye = str(name).rpartition("_")
        if not patient or eye.casefold() not in EYES:
            raise DataError(f"{row.where}: image {str(name)!r} must be a number with _left or _right")
        file = there or folder / images / f"{name}{ending}"
        labels = {"grade": row.number("level", range(len(GRADES))), "eye": EYES.index(eye.casefold())}
        gathered.add(Item(file.relative_to(folder).as_posix(), spellings.name(patient), labels, file, split), row)
    files.check(gathered.items[first:], f"table {folder / table}", folder / images)
    return found.notes


def _endings(folder: Path) -> list[str]:
    """The publisher's ending, or the one that all images in the folder have instead."""
    there = {path.suffix for path in files.images(folder)}
    return [] if ".jpeg" in there or len(there) != 1 else list(there)
