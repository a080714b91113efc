"""MedMNIST, or any .npz file of the same arrays."""

import functools
import threading
import zipfile
from pathlib import Path

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import SPLITS, Item, Listing
from transfer_jax.data.prepare.catalogue import raw_folders
from transfer_jax.data.prepare.catalogue.set_card import Card

CARD = Card(
    title="MedMNIST",
    layout=(
        "NAME.npz with train_images, train_labels, val_images, val_labels, test_images, test_labels"
    ),
    labels="label; label_0, label_1, ... where an image has several",
    patient="unknown: every image counts as a patient of its own",
    split="the publisher's",
    licence="as the set's page says: most CC BY 4.0",
    citation="Yang et al., MedMNIST v2, Scientific Data 2023",
    address="https://medmnist.com",
    options={"file": "the .npz file in the raw folder (default: the only one)"},
)


def read(folder: Path, *, file: str = "") -> Listing:
    """Lists the images of the three splits.

    The pixels of a split are loaded with its first image and stay in memory.

    Raises:
      DataError: There is not exactly one file, or its arrays are not images and labels.
    """
    path = _file(folder, file)
    items: list[Item] = []
    names: list[str] = []
    for split in SPLITS:
        shape, dtype = _header(path, f"{split}_images")
        if dtype != np.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3):
            raise DataError(
                f"{path}: {split}_images has shape {shape} and type {dtype}: [n, h, w] or [n, h,"
                " w, 3] of 8-bit values are read"
            )
        labels = _array(path, f"{split}_labels")
        if (
            labels.ndim != 2
            or len(labels) != shape[0]
            or labels.dtype.kind not in "iu"
            or 0 in labels.shape
            or (labels < 0).any()
        ):
            raise DataError(
                f"{path}: {split}_labels has shape {labels.shape} and type {labels.dtype}:"
                f" [{shape[0]}, k] whole numbers from 0 on are read"
            )
        width = labels.shape[1]
        if names and width != len(names):
            raise DataError(
                f"{path}: {split}_labels has {width} labels per image, other splits {len(names)}"
            )
        names = [f"label_{i}" for i in range(width)] if width > 1 else ["label"]
        pixels = _Pixels(path, f"{split}_images")
        for i, values in enumerate(labels.tolist()):
            key = f"{split}/{i}"
            label_values = dict(zip(names, values, strict=True))
            items.append(Item(key, key, label_values, functools.partial(pixels.read, i), split))
    return Listing(
        items,
        notes=("the publisher does not tell patients: every image counts as a patient of its own",),
    )


class _Pixels:
    """An array of images, loaded with the first of them; several threads may read it."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name, self._lock = path, name, threading.Lock()
        self._images: np.ndarray | None = None

    def read(self, index: int) -> np.ndarray:
        with self._lock:
            if self._images is None:
                self._images = _array(self._path, self._name)
        return self._images[index]


def _file(folder: Path, name: str) -> Path:
    paths = [folder / name] if name else raw_folders.images(raw_folders.existing(folder), (".npz",))
    if not paths:
        raise DataError(f"{folder} has no .npz file")
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise DataError(
            f"{folder} has several .npz files ({names}): choose one with the option file"
        )
    if not paths[0].is_file():
        raise DataError(f"{paths[0]} is missing: give the name of an .npz file in the raw folder")
    return paths[0]


def _array(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[name])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, name, error) from error


def _header(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Returns shape and type of an array, without its values."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            major, _ = np.lib.format.read_magic(file)
            shape, _, dtype = (
                np.lib.format.read_array_header_1_0
                if major == 1
                else np.lib.format.read_array_header_2_0
            )(file)
            return shape, dtype
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, name, error) from error


def _damaged(path: Path, name: str, error: Exception) -> DataError:
    return DataError(
        f"{path} is no .npz file with an array {name} ({error}): take the publisher's file"
    )
