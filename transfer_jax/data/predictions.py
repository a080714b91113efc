"""Predictions of a network for the images of a data set, as a CSV table.

A row per image: its id, and for each output its probability and its log-odds. The probability of a sure
prediction is 1 to the last digit of float32; the log-odds still tell which of two is surer, so metrics
that rank images are to be computed from them.
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
from transfer_jax.data.catalogue import sheets

_ID = "id"
LOG_ODDS = "log-odds of {}"


def write(path: str | Path, ids: Sequence[str], outputs: dict[str, Float[np.ndarray, " n"]]) -> None:
    """Writes the table, replacing what is there only when all of it is on the disk.

    Args:
      path: Of the CSV file.
      ids: Names of the n images.
      outputs: Name of an output -> log-odds [n].
    """
    columns = {name: special.expit(np.asarray(values, np.float64)) for name, values in outputs.items()}
    columns |= {LOG_ODDS.format(name): values for name, values in outputs.items()}
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([_ID, *columns])
    for image, *values in zip(ids, *columns.values(), strict=True):
        table.writerow([image, *(f"{value:.9g}" for value in values)])  # nine digits hold a float32
    files.write(path, out.getvalue())


def read(path: str | Path, ids: Shaped[np.ndarray, " n"], labels: Sequence[str]) -> dict[str, Float[np.ndarray, " n"]]:
    """The probabilities of some labels for the images `ids`, in their order; 0.5 for images that the table does not have.

    Raises:
      DataError: the file or a column is missing, a value is no probability, or the table has none of the images.
    """
    path = Path(path)
    table = {row[_ID]: row for row in sheets.read(path, (_ID, *labels))}
    if not any(name in table for name in ids.tolist()):
        raise DataError(f"{path} has none of the images' names: it must be of the same data set")
    found = {}
    for label in labels:
        try:
            values = np.array([float(table[name][label]) if name in table else 0.5 for name in ids.tolist()])
        except ValueError as error:
            raise DataError(f"{path}, column {label!r}: {error}") from None
        if not ((values >= 0) & (values <= 1)).all():
            raise DataError(f"{path}, column {label!r}: a probability lies between 0 and 1")
        found[label] = values
    return found
