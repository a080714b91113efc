"""PatchCamelyon: patches of lymph node sections, with or without tumour tissue in their middle."""

import functools
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Item, Listing
from transfer_jax.data.prepare.catalogue import raw_folders, row_texts, sheets
from transfer_jax.data.prepare.catalogue.set_card import Card

SPLITS = {"train": "train", "valid": "val", "test": "test"}
_NAME = "camelyonpatch_level_2_split_{}_{}"
# Compressed chunks hold many patches: each must be unpacked once, not for every patch.
_CACHE_BYTES = 64 << 20

CARD = Card(
    title="PatchCamelyon",
    layout=(
        "camelyonpatch_level_2_split_{train,valid,test}_{x,y}.h5, unpacked\n"
        "camelyonpatch_level_2_split_{train,valid,test}_meta.csv, for the slides"
    ),
    labels="tumour (0, 1)",
    patient=(
        "the slide, column wsi of the meta tables; without them every patch counts as a patient of"
        " its own"
    ),
    split="the publisher's, by slide",
    licence="CC0",
    citation="Veeling et al., Rotation equivariant CNNs for digital pathology, MICCAI 2018",
    address="https://github.com/basveeling/pcam",
)


def read(folder: Path) -> Listing:
    """Lists the patches of the splits that exist.

    Raises:
      DataError: There are no such files, or they do not fit together.
    """
    raw_folders.existing(folder)
    items: list[Item] = []
    without_slides = []
    for part, split in SPLITS.items():
        x, y, meta = (folder / _NAME.format(part, kind) for kind in ("x.h5", "y.h5", "meta.csv"))
        if not x.exists() and not y.exists():
            continue
        labels = _labels(x, y)
        slides = _slides(meta, y, len(labels)) if meta.is_file() else None
        if slides is None:
            without_slides.append(part)
        patches = _Patches(x)
        for i, label in enumerate(labels):
            key = f"{part}/{i}"
            image = functools.partial(patches.read, i)
            slide, texts = slides[i] if slides else (key, {})
            items.append(Item(key, slide, {"tumour": label}, image, split, columns=texts))
    if not items:
        raise DataError(
            f"{folder} has no {_NAME.format('train', 'x')}.h5: unpack the publisher's .h5.gz files"
            " there"
        )
    if not without_slides:
        return Listing(items)
    note = (
        f"there is no meta table of {', '.join(without_slides)}: every patch counts as a patient"
        " of its own"
    )
    return Listing(items, notes=(note,))


def _labels(x: Path, y: Path) -> list[int]:
    """Returns the labels in the file `y`, one for each patch in the file `x`."""
    labels = _open(y, "y")[:].reshape(-1)
    shape = _open(x, "x").shape
    if len(shape) != 4 or shape[3] != 3 or shape[0] != len(labels):
        raise DataError(
            f"{x} holds images of shape {shape} for {len(labels)} labels in {y.name}: take both"
            " files from the publisher"
        )
    if not np.isin(labels, (0, 1)).all():
        raise DataError(f"{y}: labels must be 0 or 1, not {sorted(set(labels.tolist()) - {0, 1})}")
    return list(labels.tolist())


def _slides(meta: Path, y: Path, count: int) -> list[tuple[str, Mapping[str, str]]]:
    """Returns the slide and the columns of each of `count` patches, whose labels are in the file
    `y`.
    """
    rows = sheets.read(meta, ("wsi",))
    if len(rows) != count:
        raise DataError(
            f"{meta} has {len(rows)} rows for {count} labels in {y.name}: take both files from"
            " the publisher"
        )
    columns = row_texts.named(rows, {"slide": "wsi"})
    return [(row.name("wsi"), row_texts.Texts(row, columns)) for row in rows]


class _Patches:
    """The images of one file, which stays open from the first one on; several threads may read."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._images: Any = None

    def read(self, index: int) -> np.ndarray:
        with self._lock:
            if self._images is None:
                self._images = _open(self._path, "x")
            try:
                return np.asarray(self._images[index])
            except OSError as error:
                raise DataError(
                    f"{self._path} is damaged at patch {index} ({error}): load it again"
                ) from error


def _open(path: Path, name: str) -> Any:
    """Returns the data set `name` of an HDF5 file."""
    import h5py  # heavy, and only this data set needs it

    if not path.is_file():
        raise DataError(f"{path} is missing: images and labels, x and y, go together")
    try:
        dataset = h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES)[name]
    except (OSError, KeyError) as error:
        raise DataError(
            f"{path} is no HDF5 file with a data set {name!r} ({error}): unpack the publisher's"
            " file again"
        ) from error
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != np.uint8:
        raise DataError(
            f"{path} holds no 8-bit values in {name!r}: unpack the publisher's file again"
        )
    return dataset
