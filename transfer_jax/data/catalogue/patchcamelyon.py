"""PatchCamelyon: 96 x 96 patches of lymph node sections, with or without tumour tissue in their middle."""

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.items import Item, Listing

SPLITS = {"train": "train", "valid": "val", "test": "test"}
_NAME = "camelyonpatch_level_2_split_{}_{}"
_CACHE_BYTES = 64 << 20  # compressed chunks hold many patches: each must be unpacked once, not for every patch

CARD = Card(
    title="PatchCamelyon",
    layout="camelyonpatch_level_2_split_{train,valid,test}_{x,y}.h5, unpacked\n"
    "camelyonpatch_level_2_split_{train,valid,test}_meta.csv, for the slides",
    labels="tumour (0, 1)",
    patient="the slide, column wsi of the meta tables; without them every patch counts as a patient of its own",
    split="the publisher's, by slide",
    licence="CC0",
    citation="Veeling et al., Rotation equivariant CNNs for digital pathology, MICCAI 2018",
    address="https://github.com/basveeling/pcam",
)


def read(folder: Path) -> Listing:
    """The patches of the splits that are there.

    Raises:
      DataError: there are no such files, or they do not fit together.
    """
    files.existing(folder)
    items: list[Item] = []
    without = []
    for part, split in SPLITS.items():
        x, y, meta = (folder / _NAME.format(part, kind) for kind in ("x.h5", "y.h5", "meta.csv"))
        if not x.exists() and not y.exists():
            continue
        labels = _open(y, "y")[:].reshape(-1)
        shape = _open(x, "x").shape
        if len(shape) != 4 or shape[3] != 3 or shape[0] != len(labels):
            raise DataError(f"{x} holds images of shape {shape} for {len(labels)} labels in {y.name}: take both files from the publisher")
        if not np.isin(labels, (0, 1)).all():
            raise DataError(f"{y}: labels must be 0 or 1, not {sorted(set(labels.tolist()) - {0, 1})}")
        patients = None
        if meta.is_file():
            patients = [row.name("wsi") for row in sheets.read(meta, ("wsi",))]
            if len(patients) != len(labels):
                raise DataError(f"{meta} has {len(patients)} rows for {len(labels)} labels in {y.name}: take both files from the publisher")
        else:
            without.append(part)
        patches = _Patches(x)
        for i, label in enumerate(labels.tolist()):
            key = f"{part}/{i}"
            items.append(Item(key, patients[i] if patients else key, {"tumour": label}, functools.partial(patches.read, i), split))
    if not items:
        raise DataError(f"{folder} has no {_NAME.format('train', 'x')}.h5: unpack the publisher's .h5.gz files there")
    notes = (f"there is no meta table of {', '.join(without)}: every patch counts as a patient of its own",) if without else ()
    return Listing(items, notes=notes)


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
                raise DataError(f"{self._path} is damaged at patch {index} ({error}): load it again") from error


def _open(path: Path, name: str) -> Any:
    """The data set `name` of an HDF5 file."""
    import h5py

    if not path.is_file():
        raise DataError(f"{path} is missing: images and labels, x and y, go together")
    try:
        found = h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES)[name]
    except (OSError, KeyError) as error:
        raise DataError(f"{path} is no HDF5 file with a data set {name!r} ({error}): unpack the publisher's file again") from error
    if not isinstance(found, h5py.Dataset) or found.dtype != np.uint8:
        raise DataError(f"{path} holds no 8-bit values in {name!r}: unpack the publisher's file again")
    return found
