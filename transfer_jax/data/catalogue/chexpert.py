"""CheXpert: chest X-rays from Stanford with 14 findings mined from reports, uncertain ones among them."""

import re
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import demographics as excel
from transfer_jax.data.catalogue import files, race, sheets
from transfer_jax.data.catalogue.card import Card
from transfer_jax.data.items import MISSING, UNCERTAIN, Item, Listing

FINDINGS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
CELLS = {"1.0": 1, "1": 1, "0.0": 0, "0": 0, "-1.0": UNCERTAIN, "-1": UNCERTAIN}
BLANK = {"negative": 0, "missing": MISSING}
SEXES = ("Female", "Male")
VIEWS = ("frontal", "lateral")
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
        "demographics": "the Excel table of races, relative to the raw folder or absolute (default: CHEXPERT DEMO.xlsx where it is there)",
    },
)


def read(folder: Path, *, blank: str = "negative", views: str = "frontal", demographics: str = "") -> Listing:
    """The images that the tables name.

    Raises:
      DataError: a table is missing, or a cell holds what it must not, or the demographics cannot be read.
    """
    unmentioned = BLANK[files.choice("blank", blank, tuple(BLANK))]
    every = files.choice("views", views, ("frontal", "all")) == "all"
    root = files.root(folder, "CheXpert-v1.0*", "train.csv")
    races, notes = _races(folder, root, demographics)
    items: list[Item] = []
    lateral = blanks = 0
    for table, split in TABLES.items():
        if split == "test" and not (root / table).is_file():
            continue
        known = () if split == "test" else ("Sex", "Age", "Frontal/Lateral", "AP/PA")  # the published test table has the findings alone
        for row in sheets.read(root / table, ("Path", *known, *FINDINGS)):
            match = _PATH.fullmatch(row.filled("Path"))
            if not match:
                raise DataError(f"{row.where}: path {row['Path']!r} is not like 'CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg'")
            file = sheets.inside(root, match["file"], row.where)
            labels = {finding: _finding(row, finding, unmentioned) for finding in FINDINGS} | _about(row, file)
            if not every and labels["view"] != VIEWS.index("frontal"):
                lateral += 1
                continue
            blanks += sum(not row[finding] for finding in FINDINGS)
            if races is not None:
                labels["race"] = races.get(match["patient"], MISSING)
            items.append(Item(match["file"], match["patient"], labels, file, split))
    files.check(items, f"{root}/train.csv")
    if lateral:
        notes += (f"{lateral} lateral images are left out: views=all keeps them",)
    if blanks and unmentioned == 0:
        notes += (f"{blanks} blank cells are findings that the report does not mention: they count as negative, as for the labeler's authors",)
    names = {"sex": list(SEXES), "view": list(VIEWS), "projection": list(PROJECTIONS)}
    return Listing(items, names if races is None else names | {"race": list(race.GROUPS)}, notes)


def _finding(row: sheets.Row, finding: str, unmentioned: int) -> int:
    cell = row[finding]
    if cell and cell not in CELLS:
        raise DataError(f"{row.where}, column {finding!r}: {cell} is out of range (1, 0, -1 or blank)")
    return CELLS[cell] if cell else unmentioned


def _about(row: sheets.Row, file: Path) -> dict[str, int]:
    """Sex, age, view and projection."""
    view = (row.get("Frontal/Lateral") or file.stem.rpartition("_")[2]).lower()
    projection, sex = row.get("AP/PA", ""), row.get("Sex", "")
    for column, value, allowed in (("Frontal/Lateral", view, VIEWS), ("AP/PA", projection, (*PROJECTIONS, ""))):
        if value not in allowed:
            raise DataError(f"{row.where}, column {column!r}: {value!r} is none of {', '.join(filter(None, allowed))}")
    return {
        "sex": SEXES.index(sex) if sex in SEXES else MISSING,
        "age": row.number("Age", range(OLDEST + 1)) if row.get("Age") else MISSING,
        "view": VIEWS.index(view),
        "projection": PROJECTIONS.index(projection) if projection else MISSING,
    }


def _races(folder: Path, root: Path, wanted: str) -> tuple[dict[str, int] | None, tuple[str, ...]]:
    places = [folder / wanted] if wanted else [level / DEMOGRAPHICS for level in (folder, root)]
    place = next((place for place in places if wanted or place.is_file()), None)
    return (None, ()) if place is None else excel.read(place)
