"""CheXpert's demographics, an Excel table: the race of every patient."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.catalogue import race, spellings
from transfer_jax.data.catalogue.cells import Cells
from transfer_jax.data.items import MISSING

PATIENT, RACE = "PATIENT", "PRIMARY_RACE"


def read(path: Path, cells: Cells) -> tuple[dict[str, int], tuple[str, ...]]:
    """Returns patient -> place in `race.GROUPS` or `MISSING`, and notes.

    Args:
      path: The workbook.
      cells: The rule by which its cells are read.

    Raises:
      DataError: openpyxl is missing, the file is no such table, or a patient has two races in it.
    """
    found: dict[str, int] = {}
    lines: dict[str, int] = {}
    unknown: Counter[str] = Counter()
    for line, patient, text in _rows(path):
        patient = cells.name(PATIENT, patient, f"{path}, row {line}")
        value = MISSING if cells.is_missing(text) else race.group(text)
        if value is None:
            unknown[text] += 1
            value = MISSING
        before = found.get(patient, MISSING)
        if MISSING not in (before, value) and before != value:
            raise DataError(f"{path}, rows {line} and {lines[patient]}: {patient} is {race.GROUPS[value]} and {race.GROUPS[before]}: keep one row")
        if before == MISSING:
            found[patient], lines[patient] = value, line
    if not found:
        raise DataError(f"{path} has a header and no rows")
    listed = ", ".join(f"{text!r} ({count})" for text, count in sorted(unknown.items()))
    return found, (f"race is missing for texts that are not known: {listed}",) if unknown else ()


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Row number, patient, race."""
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(f"{path} needs openpyxl: install it with: python -m pip install -e '.[xlsx]'") from error
    if not path.is_file():
        raise DataError(f"demographics {path} is missing: give the publisher's 'CHEXPERT DEMO.xlsx', relative to the raw folder or absolute")
    try:
        sheet = openpyxl.load_workbook(path, read_only=True, data_only=True).active
        table = [["" if cell is None else str(cell).strip() for cell in row] for row in sheet.iter_rows(values_only=True)]
    except Exception as error:  # openpyxl raises many kinds for damaged files
        raise DataError(f"{path} is not a readable Excel table ({error}): take the publisher's file") from error
    header = [spellings.plain(name) for name in table[0]] if table else []
    for column in (PATIENT, RACE):
        if column not in header:
            raise DataError(f"{path} has no column {column!r}: {spellings.hint(column, header)}")
    for line, row in enumerate(table[1:], start=2):
        if any(row):
            yield line, row[header.index(PATIENT)], row[header.index(RACE)]
