"""CheXpert: chest X-rays with 14 findings mined from reports, some of them uncertain; Stanford."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, UNCERTAIN, Item, Listing, study_name
from transfer_jax.data.prepare.catalogue import (
    places,
    races,
    raw_folders,
    row_texts,
    sheets,
    spellings,
)
from transfer_jax.data.prepare.catalogue.cells import MISSING_WORDS, OPTION, Cells
from transfer_jax.data.prepare.catalogue.gathering import Gathering
from transfer_jax.data.prepare.catalogue.set_card import Card, choice

FINDINGS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion",
    "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
VALUES: dict[float | str, int] = {1.0: 1, 0.0: 0, -1.0: UNCERTAIN}
BLANK = {"negative": 0, "missing": MISSING}
SEXES = ("Female", "Male")
VIEWS = ("frontal", "lateral")
_VIEWS = ("Frontal", "Lateral")  # as the tables have them
PROJECTIONS = ("AP", "PA", "LL", "RL")
OLDEST = 120
TABLES = {"train.csv": "train", "valid.csv": "val", "test.csv": "test"}
*_MAIN, _TEST = TABLES
_FOLDERS = "CheXpert-v1.0*"
# Names under which columns can be kept, beside their own.
ALIASES = {"sex": "Sex", "age": "Age", "view": "Frontal/Lateral", "projection": "AP/PA"}
_DESCRIPTIONS = ("Sex", "Age", "Frontal/Lateral", "AP/PA")
_PATH = re.compile(
    r"(?:CheXpert[^/]*/)?(?P<file>(?:train|valid|test)/"
    r"(?P<patient>patient\d+)/(?:(?P<study>study[^/]+)/)?.+)"
)

CARD = Card(
    title="CheXpert",
    layout=(
        "CheXpert-v1.0-small/train.csv, valid.csv (and test.csv)\n"
        "CheXpert-v1.0-small/{train,valid,test}/patientN/studyN/viewN_frontal.jpg\n"
        "CHEXPERT DEMO.xlsx, when race is wanted"
    ),
    labels=(
        "14 findings (0, 1, uncertain), sex (Female, Male), age (years), view (frontal, lateral),"
        " projection (AP, PA, LL, RL), race (Asian, Black, Native American, White) with the"
        " demographics"
    ),
    patient="patientN of the path",
    split="the publisher's train and valid, and test where it is there; or test alone",
    licence="Stanford's research use agreement: no passing on, no commercial use",
    citation="Irvin et al., CheXpert, AAAI 2019",
    address="https://stanfordmlgroup.github.io/competitions/chexpert/",
    channels=1,
    options={
        "blank": "findings that are not mentioned: negative or missing (default: negative)",
        "views": "frontal or all (default: frontal)",
        "missing": (
            f"{OPTION}; in the columns of findings these are blanks, and --blank says what they"
            " mean"
        ),
        "demographics": (
            "the Excel table of races, relative to the raw folder or absolute (default: CHEXPERT"
            " DEMO.xlsx where it is there)"
        ),
    },
)


def read(
    folder: Path,
    *,
    blank: str = "negative",
    views: str = "frontal",
    demographics: str = "",
    missing: str = MISSING_WORDS,
) -> Listing:
    """Lists the images that the tables name.

    Raises:
      DataError: A table is missing, a cell has a forbidden value, two rows contradict each other,
        or the demographics cannot be read.
    """
    cells, gathered = Cells(missing), Gathering()
    unmentioned = BLANK[choice("blank", blank, tuple(BLANK))]
    all_views = choice("views", views, ("frontal", "all")) == "all"
    tables = _tables(folder)
    root = raw_folders.root(folder, _FOLDERS, tables[0])
    told = _races(folder, root, demographics, cells)
    notes = told.notes if told else ()
    blanks: Counter[str] = Counter()
    lateral = 0
    listed: list[tuple[sheets.Row, Item]] = []
    for row, split, columns in _rows(root, tables, cells):
        name, patient, study, file = _place(row, root)
        view = _view(row, file)
        if not all_views and view != VIEWS.index("frontal"):
            lateral += 1
            continue
        labels = {finding: _finding(row, finding, unmentioned, blanks) for finding in FINDINGS}
        labels |= _about(row) | {"view": view}
        if told is not None:
            labels["race"] = told.groups.get(patient, MISSING)
        texts = _texts(row, columns, told, patient, study)
        listed.append((row, Item(name, patient, labels, file, split, study, texts)))
    files = places.find(root, [(item.id, row.where) for row, item in listed], unused=False)
    for (row, item), path in zip(listed, files.paths, strict=True):
        key = item.id if path is None else path.relative_to(root).as_posix()
        gathered.add(dataclasses.replace(item, id=key, image=path or item.image), row)
    raw_folders.check(gathered.items, f"{root}/{tables[0]}", root)
    if lateral:
        notes += (f"{lateral} lateral images are left out: views=all keeps them",)
    if blanks and unmentioned == 0:
        notes += (_note_on_blanks(blanks),)
    notes += (*cells.notes(), *gathered.notes(), *files.notes)
    names = {"sex": list(SEXES), "view": list(VIEWS), "projection": list(PROJECTIONS)}
    if told is not None:
        names["race"] = list(races.GROUPS)
    return Listing(gathered.items, names, notes, gathered.contradictions)


def _tables(folder: Path) -> list[str]:
    """Returns the names of the tables to read: those of training and validation, and that of the
    test set where it exists; or the latter alone, where it is the only one that exists.
    """
    levels = (folder, *folder.glob(_FOLDERS))
    there = [table for table in TABLES if any((level / table).is_file() for level in levels)]
    return there if there == [_TEST] else [table for table in TABLES if table in {*there, *_MAIN}]


def _rows(
    root: Path, tables: Sequence[str], cells: Cells
) -> Iterator[tuple[sheets.Row, str, dict[str, str]]]:
    """Yields the rows of all tables with their splits and columns."""
    for table in tables:
        split = TABLES[table]
        if split == "test" and not (root / table).is_file():
            continue
        # The published table of the test set has no columns beside the findings.
        descriptions = () if split == "test" else _DESCRIPTIONS
        rows = sheets.read(root / table, ("Path", *descriptions, *FINDINGS), cells=cells)
        columns = row_texts.named(rows, ALIASES)
        for row in rows:
            yield row, split, columns


def _place(row: sheets.Row, root: Path) -> tuple[str, str, str | None, Path]:
    """Returns an image's path as the table gives it, without the data set's folder, its patient,
    its study, and its file.
    """
    match = _PATH.fullmatch(row.filled("Path").replace("\\", "/"))
    if not match:
        raise DataError(
            f"{row.where}: path {row['Path']!r} is not like"
            " 'CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg'"
        )
    patient, study = (
        match["patient"],
        match["study"] and study_name(match["patient"], match["study"]),
    )
    return match["file"], patient, study, sheets.inside(root, match["file"], row.where)


def _texts(
    row: sheets.Row,
    columns: Mapping[str, str],
    told: races.Races | None,
    patient: str,
    study: str | None,
) -> Mapping[str, str]:
    """Returns the columns of an image that can be kept: those of its table, study and race."""
    more = {"study": study or ""} | ({"race": told.texts.get(patient, "")} if told else {})
    return row_texts.Texts(row, columns, more)


def _note_on_blanks(blanks: Counter[str]) -> str:
    words = ", ".join(f"{count} written {word!r}" for word, count in blanks.most_common() if word)
    return (
        f"{blanks.total()} blank cells{f' ({words})' if words else ''} are findings that the report"
        " does not mention: they count as negative, as for the labeler's authors"
    )


def _finding(row: sheets.Row, finding: str, unmentioned: int, blanks: Counter[str]) -> int:
    """Returns the value of a finding; blank cells are counted, as missing values only where they
    mean that.
    """
    if row.is_missing(finding):
        if unmentioned == MISSING:
            row.missing(finding)
        blanks[row[finding]] += 1
        return unmentioned
    value = spellings.key(row[finding])
    if value not in VALUES:
        raise DataError(
            f"{row.where}, column {finding!r}: {row[finding]} is out of range (1, 0, -1 or blank)"
        )
    return VALUES[value]


def _view(row: sheets.Row, file: Path) -> int:
    """Returns the view: the table's, or that in the name of the file where the table has none, as
    in the published test table.
    """
    if "Frontal/Lateral" not in row:
        name = file.stem.rpartition("_")[2].capitalize()
        if name not in _VIEWS:
            raise DataError(
                f"{row.where}: the name of {file.name} tells no view: it must end in"
                f" {' or '.join(VIEWS)}"
            )
        return _VIEWS.index(name)
    view = row.word("Frontal/Lateral", _VIEWS)
    if view == MISSING:
        raise DataError(
            f"{row.where}, column 'Frontal/Lateral': it is missing, and must be one of"
            f" {', '.join(_VIEWS)}"
        )
    return view


def _about(row: sheets.Row) -> dict[str, int]:
    """Returns sex, age and projection, as far as the table has them; lateral images have no
    projection.
    """
    return {
        "sex": row.word("Sex", SEXES, strict=False) if "Sex" in row else MISSING,
        "age": row.number("Age", range(OLDEST + 1)) if "Age" in row else MISSING,
        "projection": MISSING if row.is_missing("AP/PA") else row.word("AP/PA", PROJECTIONS),
    }


def _races(folder: Path, root: Path, demographics: str, cells: Cells) -> races.Races | None:
    """Returns the races of patients; None where there is no table of them."""
    if demographics:
        return races.read(folder / demographics, cells)
    tables = (level / races.TABLE for level in (folder, root))
    table = next((table for table in tables if table.is_file()), None)
    return None if table is None else races.read(table, cells)
