"""BUSI: ultrasound images of the breast, Cairo."""

from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Item, Listing
from transfer_jax.data.prepare.catalogue import raw_folders
from transfer_jax.data.prepare.catalogue.set_card import Card

CLASSES = ("benign", "malignant", "normal")

CARD = Card(
    title="Breast ultrasound images (BUSI)",
    layout=(
        "Dataset_BUSI_with_GT/{benign,malignant,normal}/*.png; the masks *_mask*.png are not read"
    ),
    labels=(
        "class (benign, malignant, normal), malignant (0, 1; normal counts as 0, as in Juodelyte"
        " et al.)"
    ),
    patient=(
        "unknown: the publisher has 780 images of 600 patients and does not tell which; every"
        " image counts as a patient of its own"
    ),
    split="none; dealt by image",
    licence="as the publisher says: cite the paper",
    citation="Al-Dhabyani et al., Dataset of breast ultrasound images, Data in Brief 2020",
    address="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
    channels=1,
)


def read(folder: Path) -> Listing:
    """Lists the images of the three folders.

    Raises:
      DataError: A folder is missing or has no images.
    """
    root = raw_folders.root(folder, "Dataset_BUSI_with_GT", "malignant")
    left = raw_folders.LeftOut(root)
    items = []
    for value, name in enumerate(CLASSES):
        images = []
        for path in raw_folders.images(root / name, left=left, below=True):
            if "_mask" in path.stem:
                left.add("masks", path)
            else:
                images.append(path)
        if not images:
            raise DataError(f"{root / name} has no images: unpack the publisher's whole archive")
        for image in images:
            key = image.relative_to(root).as_posix()
            items.append(
                Item(key, key, {"class": value, "malignant": int(name == "malignant")}, image)
            )
    note = (
        "the publisher does not tell patients apart: images of one patient may be in several splits"
    )
    return Listing(items, {"class": list(CLASSES)}, (note, *left.notes()))
