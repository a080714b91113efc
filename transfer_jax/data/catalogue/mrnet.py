"""MRNet: MR examinations of the knee, Stanford."""

import functools
from pathlib import Path

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import files, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.items import Image, Item, Listing

LABELS = ("abnormal", "acl", "meniscus")
PLANES = ("axial", "coronal", "sagittal")
SPLITS = {"train": "train", "valid": "val"}

CARD = Card(
    title="MRNet",
    layout="{train,valid}/{axial,coronal,sagittal}/NNNN.npy\n{train,valid}-{abnormal,acl,meniscus}.csv",
    labels="abnormal, acl (tear), meniscus (tear): 0, 1",
    patient="the examination: the publisher does not tell which examinations are of one patient",
    split="the publisher's train and valid",
    licence="Stanford's research use agreement: no passing on, no commercial use",
    citation="Bien et al., Deep-learning-assisted diagnosis for knee magnetic resonance imaging, PLOS Medicine 2018",
    address="https://stanfordmlgroup.github.io/competitions/mrnet/",
    channels=1,
    options={
        "plane": "axial, coronal or sagittal (default: sagittal)",
        "slices": "middle: one image an examination; all: every slice is an image (default: middle)",
        "missing": OPTION,
    },
)


def read(folder: Path, *, plane: str = "sagittal", slices: str = "middle", missing: str = MISSING_WORDS) -> Listing:
    """The slices of the examinations that the tables name; each split's labels from its own three tables.

    Juodelyte et al. took the validation labels of meniscus from valid-abnormal.csv; here they come from valid-meniscus.csv.

    Raises:
      DataError: a table is missing, the three of a split name different examinations, or a file holds no volume of 8-bit slices.
    """
    files.choice("plane", plane, PLANES)
    every = files.choice("slices", slices, ("middle", "all")) == "all"
    root = files.root(folder, "MRNet*", "train-abnormal.csv")
    cells = Cells(missing)
    items: list[Item] = []
    for part, split in SPLITS.items():
        for case, labels in _labels(root, part, cells).items():
            file = sheets.inside(root, f"{part}/{plane}/{case}.npy", f"{root}/{part}-{LABELS[0]}.csv")
            key = f"{part}/{plane}/{case}"
            if not file.is_file():
                items.append(Item(key, case, labels, file, split))
            elif every:
                images = (functools.partial(_slice, file, i) for i in range(len(_volume(file))))
                items += [Item(f"{key}/{i}", case, labels, image, split) for i, image in enumerate(images)]
            else:
                middle: Image = functools.partial(_slice, file, None)
                items.append(Item(key, case, labels, middle, split))
    files.check(items, f"{root}/train-abnormal.csv")
    note = "the publisher does not tell patients apart: every examination counts as a patient of its own"
    return Listing(items, notes=(note, *cells.notes()))


def _labels(root: Path, part: str, cells: Cells) -> dict[str, dict[str, int]]:
    """Examination -> its labels."""
    found: dict[str, dict[str, int]] = {}
    tables = {label: root / f"{part}-{label}.csv" for label in LABELS}
    for label, table in tables.items():
        cases: dict[str, int] = {}
        lines: dict[str, int] = {}
        for row in sheets.read(table, (), ("case", "label"), cells):
            case, value = row.name("case"), row.number("label", (0, 1))
            if cases.setdefault(case, value) != value:
                raise DataError(f"{row.where} and line {lines[case]}: both are about examination {case}, with different labels: keep one of them")
            lines.setdefault(case, row.line)
        if label != LABELS[0] and cases.keys() != found.keys():
            odd = min(cases.keys() ^ found.keys())
            raise DataError(f"{table} and {tables[LABELS[0]]} name different examinations, such as {odd}: take the publisher's tables")
        for case, value in cases.items():
            found.setdefault(case, {})[label] = value
    return found


def _volume(file: Path) -> np.ndarray:
    try:
        volume = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{file} is not a readable array ({error}): take the publisher's file") from error
    if volume.dtype != np.uint8 or volume.ndim != 3 or 0 in volume.shape:
        raise DataError(f"{file} is no volume [slices, height, width] of 8-bit values: its shape is {volume.shape}, its type {volume.dtype}")
    return volume


def _slice(file: Path, index: int | None) -> np.ndarray:
    """Slice `index` of a volume, or the middle one."""
    volume = _volume(file)
    return np.array(volume[len(volume) // 2 if index is None else index])
