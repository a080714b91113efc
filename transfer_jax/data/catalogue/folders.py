"""Any folder of images with a folder for each class, with or without folders for the splits above them."""

import re
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.items import SPLITS, Item, Listing

LABEL = "class"

CARD = Card(
    title="A folder of images for each class",
    layout="CLASS/*.jpg, or train/CLASS/*.jpg, val/CLASS/*.jpg, test/CLASS/*.jpg (also png, jpeg, bmp, tif, tiff, dcm)",
    labels="class: the names of the folders, sorted",
    patient="from the file names by the option patient; without it every image counts as a patient of its own",
    split="the folders train, val and test where there are such, otherwise dealt",
    licence="as the images' owner says",
    citation="as the images' owner says",
    address="your own",
    options={"patient": r"regular expression for file names whose group is the patient, such as '^(\d+)_' (default: none)"},
)


def read(folder: Path, *, patient: str = "") -> Listing:
    """The images in the folders of the classes.

    Raises:
      DataError: there are no class folders, one has no images, splits have other classes, or a file name has no patient.
    """
    pattern = _pattern(patient)
    found = _folders(files.existing(folder))
    homes: dict[str | None, Path] = {name: folder / name for name in SPLITS if name in found}
    other = [name for name in found if name not in SPLITS]
    if homes and other:
        raise DataError(f"{folder} has {', '.join(map(str, homes))} beside {', '.join(other)}: either folders of splits, or folders of classes")
    classes: list[str] = []
    items = []
    for split, home in (homes or {None: folder}).items():
        here = _folders(home)
        if not here:
            raise DataError(f"{home} has no folders: it needs one for each class, with its images in it")
        if classes and here != classes:
            raise DataError(f"{home} has the classes {', '.join(here)}, other folders have {', '.join(classes)}: they must be the same")
        classes = here
        for value, name in enumerate(classes):
            images = files.images(home / name)
            if not images:
                raise DataError(f"class folder {home / name} has no images ({', '.join(files.ENDINGS)}): fill it or remove it")
            for image in images:
                key = image.relative_to(folder).as_posix()
                items.append(Item(key, _patient(pattern, image) if pattern else key, {LABEL: value}, image, split))
    notes = () if pattern else ("no patients are given: every image counts as a patient of its own",)
    return Listing(items, {LABEL: classes}, notes)


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))


def _pattern(text: str) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise DataError(f"option patient={text!r} is no regular expression ({error})") from None
    if pattern.groups != 1 and "patient" not in pattern.groupindex:
        raise DataError(rf"option patient={text!r} needs one group in round brackets, or one named patient, such as '^(\d+)_'")
    return pattern


def _patient(pattern: re.Pattern[str], image: Path) -> str:
    match = pattern.search(image.name)
    found = (match["patient" if "patient" in pattern.groupindex else 1] or "").strip() if match else ""
    if not found:
        raise DataError(f"option patient={pattern.pattern!r} finds no patient in the name of {image}")
    return found
