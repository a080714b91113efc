"""MRNet: MR examinations of the knee, Stanford."""

import functools
from pathlib import Path

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, Image, Item, Listing
from transfer_jax.data.prepare.catalogue import raw_folders, sheets
from transfer_jax.data.prepare.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.prepare.catalogue.set_card import Card, choice

LABELS = ("abnormal", "acl", "meniscus")
KNEE = ("normal", "acl", "meniscus")
SLICES = ("middle", "1", "2", "3", "all")
PLANES = ("axial", "coronal", "sagittal")
SPLITS = {"train": "train", "valid": "val"}

CARD = Card(
    title="MRNet",
    layout=(
        "{train,valid}/{axial,coronal,sagittal}/NNNN.npy\n{train,valid}-{abnormal,acl,meniscus}.csv"
    ),
    labels=(
        "abnormal, acl (tear), meniscus (tear): 0, 1; knee (normal, acl, meniscus), as in Juodelyte"
        " et al."
    ),
    patient="the examination: the publisher does not tell which examinations are of one patient",
    split="the publisher's train and valid",
    licence="Stanford's research use agreement: no passing on, no commercial use",
    citation=(
        "Bien et al., Deep-learning-assisted diagnosis for knee magnetic resonance imaging, PLOS"
        " Medicine 2018"
    ),
    address="https://stanfordmlgroup.github.io/competitions/mrnet/",
    channels=1,
    options={
        "plane": "axial, coronal or sagittal (default: sagittal)",
        "slices": (
            "middle (or 1): one image per examination; 2 or 3: so many middle slices; all: every"
            " slice is an image (default: middle)"
        ),
        "both": (
            "what an examination with a tear of both the ligament and the meniscus is to the label"
            " knee: acl, meniscus or missing (default: acl)"
        ),
        "missing": OPTION,
    },
)


def read(
    folder: Path,
    *,
    plane: str = "sagittal",
    slices: str = "middle",
    both: str = "acl",
    missing: str = MISSING_WORDS,
) -> Listing:
    """Lists the slices of the examinations that the tables name; every split has three tables.

    The label knee is that of Juodelyte et al. with one value per examination: an examination
    without either tear is normal, whatever else is abnormal in it, and the option `both` says what
    one with both tears is. Two things differ from their data. They took images that the authors of
    RadImageNet had chosen slice by slice for each tear, so that an examination could be in two
    classes; and they took the validation labels of meniscus from valid-abnormal.csv, which here
    come from valid-meniscus.csv.

    Raises:
      DataError: A table is missing, the three of a split name different examinations, or a file
        holds no volume of 8-bit slices.
    """
    choice("plane", plane, PLANES)
    choice("slices", slices, SLICES)
    tear = {name: value for value, name in enumerate(KNEE)} | {"missing": MISSING}
    of_both = tear[choice("both", both, ("acl", "meniscus", "missing"))]
    root = raw_folders.root(folder, "MRNet*", "train-abnormal.csv")
    cells = Cells(missing)
    items: list[Item] = []
    torn_twice = 0
    for part, split in SPLITS.items():
        for case, labels in _labels(root, part, cells).items():
            file = sheets.inside(
                root, f"{part}/{plane}/{case}.npy", f"{root}/{part}-{LABELS[0]}.csv"
            )
            torn_twice += labels["acl"] == labels["meniscus"] == 1
            labels["knee"] = _knee(labels, of_both)
            items += _items(file, f"{part}/{plane}/{case}", case, labels, split, slices)
    raw_folders.check(items, f"{root}/train-abnormal.csv")
    notes = [
        "the publisher does not tell patients apart: every examination counts as a patient of its"
        " own"
    ]
    if torn_twice:
        counted = "have no label knee" if both == "missing" else f"are {both} of the label knee"
        notes.append(
            f"examinations with a tear of both the ligament and the meniscus: {torn_twice}; they"
            f" {counted} (--both)"
        )
    return Listing(items, {"knee": list(KNEE)}, (*notes, *cells.notes()))


def _items(
    file: Path, key: str, case: str, labels: dict[str, int], split: str, slices: str
) -> list[Item]:
    """Returns the images of an examination; one for a file that does not exist."""
    plane = {"plane": file.parent.name}
    if slices in ("middle", "1") or not file.is_file():
        image: Image = functools.partial(_slice, file, None) if file.is_file() else file
        return [Item(key, case, labels, image, split, case, plane)]
    count = len(_volume(file))
    chosen = range(count) if slices == "all" else _middle(count, int(slices))
    return [
        Item(
            f"{key}/{i}",
            case,
            labels,
            functools.partial(_slice, file, i),
            split,
            case,
            plane | {"slice": str(i)},
        )
        for i in chosen
    ]


def _middle(count: int, most: int) -> range:
    """Returns the middle slices of a volume of `count` slices, at most `most` of them."""
    first = max(0, count // 2 - most // 2)
    return range(first, min(count, first + most))


def _knee(labels: dict[str, int], of_both: int) -> int:
    """Returns the place in `KNEE` of an examination, `of_both` for one with both tears."""
    acl, meniscus = labels["acl"], labels["meniscus"]
    if MISSING in (acl, meniscus):
        return MISSING
    if acl and meniscus:
        return of_both
    return KNEE.index("acl" if acl else "meniscus" if meniscus else "normal")


def _labels(root: Path, part: str, cells: Cells) -> dict[str, dict[str, int]]:
    """Returns examination -> its labels."""
    labels_of: dict[str, dict[str, int]] = {}
    tables = {label: root / f"{part}-{label}.csv" for label in LABELS}
    for label, table in tables.items():
        cases: dict[str, int] = {}
        lines: dict[str, int] = {}
        for row in sheets.read(table, (), ("case", "label"), cells):
            case, value = row.name("case"), row.number("label", (0, 1))
            if cases.setdefault(case, value) != value:
                raise DataError(
                    f"{row.where} and line {lines[case]}: both are about examination {case}, with"
                    " different labels: keep one of them"
                )
            lines.setdefault(case, row.line)
        if label != LABELS[0] and cases.keys() != labels_of.keys():
            odd = min(cases.keys() ^ labels_of.keys())
            raise DataError(
                f"{table} and {tables[LABELS[0]]} name different examinations, such as {odd}: take"
                " the publisher's tables"
            )
        for case, value in cases.items():
            labels_of.setdefault(case, {})[label] = value
    return labels_of


def _volume(file: Path) -> np.ndarray:
    try:
        volume = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{file} is not a readable array ({error}): take the publisher's file"
        ) from error
    if volume.dtype != np.uint8 or volume.ndim != 3 or 0 in volume.shape:
        raise DataError(
            f"{file} is no volume [slices, height, width] of 8-bit values: its shape is"
            f" {volume.shape}, its type {volume.dtype}"
        )
    return volume


def _slice(file: Path, index: int | None) -> np.ndarray:
    """Returns slice `index` of a volume, or the middle one."""
    volume = _volume(file)
    return np.array(volume[len(volume) // 2 if index is None else index])
