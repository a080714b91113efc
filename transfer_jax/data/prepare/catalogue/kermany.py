"""Kermany et al.'s chest X-rays of children with and without pneumonia, Guangzhou."""

import re
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import SPLITS, Item, Listing
from transfer_jax.data.prepare.catalogue import raw_folders
from transfer_jax.data.prepare.catalogue.set_card import Card, choice

CLASSES = ("NORMAL", "PNEUMONIA")
SUBTYPES = ("normal", "bacteria", "virus")
# The second pattern of each is that of the third edition, of 2018, whose numbers are patients.
_SICK = (
    re.compile(r"(?P<patient>person\d+)_(?P<subtype>bacteria|virus)_\d+"),
    re.compile(r"(?P<subtype>BACTERIA|VIRUS)-(?P<patient>\d+)-\d+"),
)
_WELL = (
    re.compile(r"(?P<patient>(NORMAL2-)?IM-\d+)-"),
    re.compile(r"NORMAL-(?P<patient>\d+)-\d+"),
)

CARD = Card(
    title="Chest X-rays of children with pneumonia (Kermany)",
    layout="chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg",
    labels="pneumonia (0, 1), subtype (normal, bacteria, virus)",
    patient="personN, IM-N or NORMAL2-IM-N of the file name (third edition: its number)",
    split=(
        "dealt by patient: the publisher's val has 16 images, and its train and test use the same"
        " person numbers"
    ),
    licence="CC BY 4.0",
    citation=(
        "Kermany et al., Identifying Medical Diagnoses and Treatable Diseases by Image-Based Deep"
        " Learning, Cell 2018"
    ),
    address="https://doi.org/10.17632/rscbjbr9sj.2",
    channels=1,
    options={"official": "yes: the publisher's folders are the splits (default: no)"},
)


def read(folder: Path, *, official: str = "no") -> Listing:
    """Lists the images of the publisher's folders.

    Raises:
      DataError: A folder is missing or empty, or a file's name is none of the publisher's.
    """
    is_official = choice("official", official, ("no", "yes")) == "yes"
    root = raw_folders.root(folder, "chest_xray", "train")
    left = raw_folders.LeftOut(root)
    items = []
    for split in (split for split in SPLITS if (root / split).is_dir()):
        for kind in CLASSES:
            images = raw_folders.images(root / split / kind, left=left, below=True)
            if not images:
                raise DataError(
                    f"{root / split / kind} has no images: unpack the publisher's whole archive"
                )
            for image in images:
                patterns = _SICK if kind == "PNEUMONIA" else _WELL
                match = next(
                    filter(None, (pattern.match(image.name) for pattern in patterns)), None
                )
                if not match:
                    raise DataError(
                        f"the name of {image} is none of the publisher's for {kind}: move it to"
                        " its folder, or remove it"
                    )
                subtype = match["subtype"].lower() if kind == "PNEUMONIA" else "normal"
                patient = f"{split} {match['patient']}" if is_official else match["patient"]
                labels = {"pneumonia": CLASSES.index(kind), "subtype": SUBTYPES.index(subtype)}
                key = image.relative_to(root).as_posix()
                home = split if is_official else None
                items.append(Item(key, patient, labels, image, home))
    if is_official:
        note = (
            "the publisher's folders use the same person numbers for train and test: patients are"
            " told apart within a folder only"
        )
    else:
        note = (
            "the publisher's split is not used: its val has 16 images, and the same person numbers"
            " are in its train and test"
        )
    return Listing(items, {"subtype": list(SUBTYPES)}, (note, *left.notes()))
