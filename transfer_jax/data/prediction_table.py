"""Predictions of a network for the images of a data set, as a CSV table.

A row per image holds its id and, per output, its probability and its log-odds. The probability of
a certain prediction is 1 to the last digit of float32; the log-odds still tell which of two is
more certain, so metrics that rank images should be computed from them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped
from scipy import special

from transfer_jax.core import files
from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare.catalogue import sheets, spellings

_ID = "id"
LOG_ODDS = "log-odds of {}"


def write(
    path: str | Path, ids: Sequence[str], outputs: dict[str, Float[np.ndarray, " n"]]
) -> None:
    """Writes the table; an existing file is replaced once all of it is on the disk.

    Args:
      path: Path of the CSV file.
      ids: Names of the n images.
      outputs: Name of an output -> log-odds [n].
    """
    columns = {
        name: special.expit(np.asarray(values, np.float64)) for name, values in outputs.items()
    }
    columns |= {LOG_ODDS.format(name): values for name, values in outputs.items()}
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([_ID, *columns])
    for image, *values in zip(ids, *columns.values(), strict=True):
        table.writerow([image, *(f"{value:.9g}" for value in values)])  # nine digits hold a float32
    files.write(path, out.getvalue())


def read(
    path: str | Path, ids: Shaped[np.ndarray, " n"], labels: Sequence[str]
) -> dict[str, Float[np.ndarray, " n"]]:
    """Reads the probabilities of some labels for some images.

    Args:
      path: The table.
      ids: Names of the images.
      labels: Names of the labels, each a column of the table.

    Returns:
      Label -> probabilities in the order of `ids`; 0.5 for images that the table lacks.

    Raises:
      DataError: The file or a column is missing, a value is no probability, two rows contradict
        each other about an image, or the table has none of the images.
    """
    path = Path(path)
    table: dict[str, tuple[sheets.Row, dict[str, float]]] = {}
    for row in sheets.read(path, (_ID, *labels)):
        values = {label: _probability(row, label) for label in labels}
        before, known = table.setdefault(spellings.name(row.filled(_ID)), (row, values))
        if known != values:
            raise DataError(
                f"{row.where} and line {before.line}: both are about image {row[_ID]}, with"
                " different probabilities: keep one of them"
            )
    names = [spellings.name(name) for name in ids.tolist()]
    if not any(name in table for name in names):
        raise DataError(
            f"{path} has none of the images' names, such as {names[0]!r}: it must be of the same"
            " data set"
        )
    return {
        label: np.array([table[name][1][label] if name in table else 0.5 for name in names])
        for label in labels
    }


def _probability(row: sheets.Row, label: str) -> float:
    where = f"{row.where}, column {label!r}"
    try:
        value = spellings.number(row.filled(label))
    except ValueError as error:
        raise DataError(f"{where}: {row[label]!r} {error}") from None
    if value is None:
        raise DataError(f"{where}: {row[label]!r} is no number")
    if not 0 <= value <= 1:
        raise DataError(f"{where}: {row[label]} is no probability: it must lie between 0 and 1")
    return value
