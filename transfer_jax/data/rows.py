"""The table of a prepared split: who and what every record shows, read without touching an image."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from transfer_jax.core.errors import DataError

_KEYS = ("id", "patient")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Row i is record i.

    Attributes:
      ids: names of the images, [n].
      patients: [n].
      labels: label -> values, [n]; `items.MISSING` and `items.UNCERTAIN` are below zero.
    """

    ids: Shaped[np.ndarray, " n"]
    patients: Shaped[np.ndarray, " n"]
    labels: dict[str, Int[np.ndarray, " n"]]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.ids)

    @classmethod
    def joined(cls, tables: Sequence[Rows]) -> Rows:
        """Several splits' tables, one below the other."""
        labels = {label: np.concatenate([table.labels[label] for table in tables]) for label in tables[0].labels}
        return cls(np.concatenate([table.ids for table in tables]), np.concatenate([table.patients for table in tables]), labels)


def text(ids: Iterable[str], patients: Iterable[str], labels: Mapping[str, Sequence[int]]) -> str:
    """The table as CSV: id, patient, and a column for each label."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_KEYS, *labels])
    writer.writerows(zip(ids, patients, *labels.values(), strict=True))
    return out.getvalue()


def read(folder: str | Path, content: dict[str, Any]) -> Rows:
    """The table of a split.

    Args:
      folder: of the prepared data set.
      content: the split's entry in the manifest.

    Raises:
      DataError: the table is missing, or is not the one that was written with the records.
    """
    path = Path(folder) / content["rows"]["file"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} is missing, though the manifest names it; prepare the data set again") from error
    if hashlib.sha256(data).hexdigest() != content["rows"]["sha256"]:
        raise DataError(f"{path} has changed since the data set was prepared: its rows may no longer be those of the records; prepare it again")
    header, *rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    if len(rows) != content["records"]:
        raise DataError(f"{path} has {len(rows)} rows, the manifest says {content['records']}: prepare the data set again")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    labels = {name: np.array(column, np.int32) for name, column in zip(header[2:], columns[2:], strict=True)}
    return Rows(np.array(columns[0], str), np.array(columns[1], str), labels)
