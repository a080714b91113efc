"""Tables of the run folder: rows as dicts, written as CSV and read back exactly."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transfer_jax.core.errors import ConfigError

Row = dict[str, Any]


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns rows as CSV.

    The header holds all keys in the order of their first appearance; a cell is empty where a row
    lacks the key or its value is None. Floats are written so that they are read back bit for bit.
    """
    rows = list(rows)
    keys: Mapping[str, None] = dict.fromkeys(key for row in rows for key in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(keys), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def from_csv(
    path: Path, types: Mapping[str, Callable[[str], Any]], required: Sequence[str] = ()
) -> list[Row]:
    """Reads a table that `to_csv` wrote.

    Args:
      path: The file.
      types: Column -> how its text becomes a value; other columns hold numbers (float).
      required: Columns that must be there.

    Returns:
      One dict per row, without the columns that are empty in it.

    Raises:
      ConfigError: The file is missing or cannot be read as such a table.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file, strict=True))
        for column in required:
            if lines and column not in lines[0]:
                raise ValueError(f"it has no column {column!r}")
        return [
            {key: types.get(key, float)(text) for key, text in line.items() if text != ""}
            for line in lines
        ]
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise ConfigError(
            f"{path} cannot be read as a table of a study ({error}): restore it from a copy, "
            "or call the study's command again"
        ) from error


def boolean(text: str) -> bool:
    """Returns the boolean that `to_csv` wrote as "True" or "False"."""
    if text not in ("True", "False"):
        raise ValueError(f"{text!r} is neither True nor False")
    return text == "True"
