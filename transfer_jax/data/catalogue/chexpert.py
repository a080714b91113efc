"""CheXpert: chest X-rays from Stanford with 14 findings mined from reports, uncertain ones among them."""

import dataclasses
import re
from collections import Counter
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import demographics as excel
from transfer_jax.data.catalogue import files, places, race, sheets, spellings
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.catalogue.gathering import Gathering
from transfer_jax.data.items import MISSING, UNCERTAIN, Item, Listing

FINDINGS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
VALUES: dict[float | str, int] = {1.0: 1, 0.0: 0, -1.0: UNCERTAIN}
BLANK = {"negative": 0, "missing": MISSING}
SEXES = ("Female", "Male")
VIEWS = ("frontal", "lateral")
_VIEWS = ("Frontal", "Lateral")  # as the tables have them
PROJECTIONS = ("AP", "PA", "LL", "RL")
OLDEST = 120
TABLES = {"train.csv": "train", "valid.csv": "val", "test.csv": "test"}
DEMOGRAPHICS = "CHEXPERT DEMO.xlsx"
_PATH = re.compile(r"(?:CheXpert[^/]*/)?(?P<file>(?:train|valid|test)/(?P<patient>patient\d+)/.+)")

CARD = Card(
    title="CheXpert",
    layout="CheXpert-v1.0-small/train.csv, valid.csv (and test.csv)\nCheXpert-v1.0-small/{train,valid,test}/patientN/studyN/viewN_frontal.jpg\n"
    "CHEXPERT DEMO.xlsx, when race is wanted",
    labels="14 findings (0, 1, uncertain), sex (Female, Male), age (years), view (frontal, lateral), projection (AP, PA, LL, RL), "
    "race (Asian, Black, Native American, White) with the demographics",
    patient="patientN of the path",
    split="the publisher's train and valid, and test where it is there",
    licence="Stanford's research use agreement: no passing on, no commercial use",
    citation="Irvin et al., CheXpert, AAAI 2019",
    address="https://stanfordmlgroup.github.io/competitions/chexpert/",
    channels=1,
    options={
        "blank": "findings that are not mentioned: negative or missing (default: negative)",
        "views": "frontal or all (default: frontal)",
        "missing": f"{OPTION}; in the columns of findings these are blanks, and --blank says what they mean",
        "demographics": "the Excel table of races, relative to the raw folder or absolute (default: CHEXPERT DEMO.xlsx where it is there)",
    },
)


def read(folder: Path, *, blank: str = "negative", views: str = "frontal", demographics: str = "", missing: str = MISSING_WORDS) -> Listing:
    """Lists the images that the tables name.

    Raises:
      DataError: a table is missing, a cell holds what it must not, two rows contradict each other, or the
        demographics cannot be read.
    """
    cells, gathered = Cells(missing), Gathering()
    unmentioned = BLANK[files.choice("blank", blank, tuple(BLANK))]
    every = files.choice("views", views, ("frontal", "all")) == "all"
    root = files.root(folder, "CheXpert-v1.0*", "train.csv")
    races, notes = _races(folder, root, demographics, cells)
    blanks: Counter[str] = Counter()
    lateral = 0
    named: list[tuple[str, str]] = []
    listed: list[tuple[sheets.Row, Item]] = []
    for table, split in TABLES.items():
        if split == "test" and not (root / table).is_file():
            continue
        known = () if split == "test" else ("Sex", "Age", "Frontal/Lateral", "AP/PA")  # the published test table has the findings alone
        for row in sheets.read(root / table, ("Path", *known, *FINDINGS), cells=cells):
            match = _PATH.fullmatch(row.filled("Path").replace("\\", "/"))
            if not match:
                raise DataError(f"{row.where}: path {row['Path']!r} is not like 'CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg'")
            file = sheets.inside(root, match["file"], row.where)
            view = _view(row, file)
            if not every and view != VIEWS.index("frontal"):
                lateral += 1
                continue
            labels = {finding: _finding(row, finding, unmentioned, blanks) for finding in FINDINGS}
            labels |= _about(row) | {"view": view}
            if races is not None:
                labels["race"] = races.get(match["patient"], MISSING)
            named.append((match["file"], row.where))
            listed.append((row, Item(match["file"], match["patient"], labels, file, split)))
    found = places.find(root, named, unused=False)
    for (row, item), there in zip(listed, found.paths, strict=True):
        key = item.id if there is None else there.relative_to(root).as_posix()
        gathered.add(dataclasses.replace(item, id=key, image=there or item.image), row)
    files.check(gathered.items, f"{root}/train.csv", root)
    if lateral:
        notes += (f"{lateral} lateral images are left out: views=all keeps them",)
    if blanks and unmentioned == 0:
        words = ", ".join(f"{count} written {word!r}" for word, count in blanks.most_common() if word)
        notes += (
            f"{blanks.total()} blank cells{f' ({words})' if words else ''} are findings that the report does not mention: "
            "they count as negative, as for the labeler's authors",
        )
    notes += (*cells.notes(), *gathered.notes(), *found.notes)
    names = {"sex": list(SEXES), "view": list(VIEWS), "projection": list(PROJECTIONS)}
    return Listing(gathered.items, names if races is None else names | {"race": list(race.GROUPS)}, notes)


def _finding(row: sheets.Row, finding: str, unmentioned: int, blanks: Counter[str]) -> int:
    """The value of a finding; blank cells are counted, as missing values only where they are such."""
    if row.is_missing(finding):
        if unmentioned == MISSING:
            row.missing(finding)
        blanks[row[finding]] += 1
        return unmentioned
    value = spellings.key(row[finding])
    if value not in VALUES:
        raise DataError(f"{row.where}, column {finding!r}: {row[finding]} is out of range (1, 0, -1 or blank)")
    return VALUES[value]


def _view(row: sheets.Row, file: Path) -> int:
    """The view, which the file's name tells where the table does not: the published test table has findings alone."""
    if "Frontal/Lateral" not in row:
        name = file.stem.rpartition("_")[2].capitalize()
        if name not in _VIEWS:
            raise DataError(f"{row.where}: the name of {file.name} tells no view: it must end in {' or '.join(VIEWS)}")
        return _VIEWS.index(name)
    view = row.word("Frontal/Lateral", _VIEWS)
    if view == MISSING:
        raise DataError(f"{row.where}, column 'Frontal/Lateral': it is missing, and must be one of {', '.join(_VIEWS)}")
    return view


def _about(row: sheets.Row) -> dict[str, int]:
    """Sex, age and projection, as far as the table has them; lateral images have no projection."""
    return {
        "sex": row.word("Sex", SEXES, strict=False) if "Sex" in row else MISSING,
        "age": row.number("Age", range(OLDEST + 1)) if "Age" in row else MISSING,
        "projection": MISSING if row.is_missing("AP/PA") else row.word("AP/PA", PROJECTIONS),
    }


def _races(folder: Path, root: Path, wanted: str, cells: Cells) -> tuple[dict[str, int] | None, tuple[str, ...]]:
    places = [folder / wanted] if wanted else [level / DEMOGRAPHICS for level in (folder, root)]
    place = next((place for place in places if wanted or place.is_file()), None)
    return (None, ()) if place is None else excel.read(place, cells)
