"""Race of CheXpert's patients: the publisher's Excel table, merged to the four groups of Wen & Yap
(section 4.4).

Hispanic is not told apart, as in their paper.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING
from transfer_jax.data.prepare.catalogue import spellings
from transfer_jax.data.prepare.catalogue.cells import Cells

TABLE = "CHEXPERT DEMO.xlsx"
PATIENT, RACE = "PATIENT", "PRIMARY_RACE"
GROUPS = ("Asian", "Black", "Native American", "White")

# Pacific Islanders are in none of the paper's four groups; neither are "other" and unknown races.
_TEXTS = {
    "Asian": ("asian", "asian, non-hispanic", "asian, hispanic", "asian - historical conv"),
    "Black": ("black", "black or african american", "black, non-hispanic", "black, hispanic"),
    "Native American": (
        "native american", "american indian or alaska native", "native american, non-hispanic",
        "native american, hispanic",
    ),
    "White": ("white", "white, non-hispanic", "white, hispanic"),
    "": (
        "", "other", "other, non-hispanic", "other, hispanic", "unknown", "patient refused",
        "race and ethnicity unknown", "native hawaiian or other pacific islander",
        "pacific islander", "pacific islander, non-hispanic", "pacific islander, hispanic",
    ),
}  # fmt: skip
_GROUP = {
    text: GROUPS.index(group) if group else MISSING
    for group, texts in _TEXTS.items()
    for text in texts
}


def group(text: str) -> int | None:
    """Returns the place of a text in `GROUPS`, `MISSING` where it is in none of them, None where
    the text is unknown.
    """
    return _GROUP.get(" ".join(text.split()).lower())


class Races(NamedTuple):
    """What a table says of its patients.

    Attributes:
      groups: Patient -> place in `GROUPS`, or `MISSING`.
      texts: Patient -> race as the table spells it; patients without one are left out.
      notes: What the user should know.
    """

    groups: dict[str, int]
    texts: dict[str, str]
    notes: tuple[str, ...] = ()


def read(path: Path, cells: Cells) -> Races:
    """Reads the races of patients.

    Args:
      path: The workbook.
      cells: The rule by which its cells are read.

    Raises:
      DataError: The library openpyxl is missing, the file is no such table, or a patient has two
        races in it.
    """
    groups: dict[str, int] = {}
    texts: dict[str, str] = {}
    lines: dict[str, int] = {}
    unknown: Counter[str] = Counter()
    for line, patient, text in _rows(path):
        patient = cells.name(PATIENT, patient, f"{path}, row {line}")
        value = MISSING if cells.is_missing(text) else group(text)
        if value is None:
            unknown[text] += 1
            value = MISSING
        before = groups.get(patient, MISSING)
        if MISSING not in (before, value) and before != value:
            raise DataError(
                f"{path}, rows {line} and {lines[patient]}: {patient} is {GROUPS[value]} and"
                f" {GROUPS[before]}: keep one row"
            )
        if before == MISSING:
            groups[patient], lines[patient] = value, line
            if not cells.is_missing(text):
                texts[patient] = text
    if not groups:
        raise DataError(f"{path} has a header and no rows")
    listed = ", ".join(f"{text!r} ({count})" for text, count in sorted(unknown.items()))
    notes = (f"race is missing for texts that are not known: {listed}",) if unknown else ()
    return Races(groups, texts, notes)


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yields row number, patient and race."""
    try:
        import openpyxl  # optional: the extra `xlsx`
    except ImportError as error:
        raise DataError(
            f"{path} needs openpyxl: install it with: python -m pip install -e '.[xlsx]'"
        ) from error
    if not path.is_file():
        raise DataError(
            f"demographics {path} is missing: give the publisher's '{TABLE}', relative to the raw"
            " folder or absolute"
        )
    try:
        sheet = openpyxl.load_workbook(path, read_only=True, data_only=True).active
        table = [
            ["" if cell is None else str(cell).strip() for cell in row]
            for row in sheet.iter_rows(values_only=True)
        ]
    except Exception as error:  # openpyxl raises many kinds for damaged files
        raise DataError(
            f"{path} is not a readable Excel table ({error}): take the publisher's file"
        ) from error
    header = [spellings.plain(name) for name in table[0]] if table else []
    for column in (PATIENT, RACE):
        if column not in header:
            raise DataError(f"{path} has no column {column!r}: {spellings.hint(column, header)}")
    for line, row in enumerate(table[1:], start=2):
        if any(row):
            yield line, row[header.index(PATIENT)], row[header.index(RACE)]
