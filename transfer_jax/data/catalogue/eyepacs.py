"""Kaggle's diabetic retinopathy detection: EyePACS photographs of both eyes."""

from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.items import TRAIN_VAL, Item, Listing

GRADES = ("No DR", "Mild", "Moderate", "Severe", "Proliferative DR")
EYES = ("left", "right")
TRAIN, TEST = "trainLabels.csv", "retinopathy_solution.csv"
ENDINGS = (".jpeg", ".jpg", ".png")

CARD = Card(
    title="EyePACS, Kaggle's diabetic retinopathy detection",
    layout="trainLabels.csv\ntrain/*.jpeg\nretinopathy_solution.csv and test/*.jpeg, when the test set is wanted",
    labels="grade (0-4: no, mild, moderate, severe, proliferative DR), eye (left, right)",
    patient="the number before _left or _right",
    split="Kaggle's test, public and private, where it is there; train is dealt by patient",
    licence="the competition's rules: not to be passed on",
    citation="EyePACS and Kaggle, Diabetic Retinopathy Detection, 2015",
    address="https://www.kaggle.com/c/diabetic-retinopathy-detection",
)


def read(folder: Path) -> Listing:
    """The images that the tables name.

    Raises:
      DataError: the table of the training images is missing, a level is none of 0-4, an image's name tells no eye, or no image is there.
    """
    tested = (folder / TEST).is_file() and (folder / "test").is_dir()
    items = _items(folder, TRAIN, "train", TRAIN_VAL if tested else None)
    if tested:
        items += _items(folder, TEST, "test", "test")
        note = "the public and the private images of Kaggle's test set are both in the split 'test'"
    else:
        note = f"there is no {TEST} with test/: the training images are dealt to train, val and test by patient"
    return Listing(items, {"grade": list(GRADES), "eye": list(EYES)}, (note,))


def _items(folder: Path, table: str, images: str, split: str | None) -> list[Item]:
    rows = sheets.read(folder / table, ("image", "level"))
    ending = files.ending(folder / images, ENDINGS)
    items = []
    for row in rows:
        name = row.filled("image")
        patient, _, eye = name.rpartition("_")
        if not patient or eye not in EYES:
            raise DataError(f"{row.where}: image {name!r} must be a number with _left or _right")
        file = sheets.inside(folder, f"{images}/{name}{ending}", row.where)
        labels = {"grade": row.number("level", range(len(GRADES))), "eye": EYES.index(eye)}
        items.append(Item(file.relative_to(folder).as_posix(), patient, labels, file, split))
    files.check(items, f"table {folder / table}")
    return items
