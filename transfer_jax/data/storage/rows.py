"""The table of a prepared split: id, patient, study, labels and kept columns of every record, read
without its image.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, Shaped

from transfer_jax.core.errors import DataError

_KEYS = ("id", "patient")
_STUDY = "study"


@dataclasses.dataclass(frozen=True)
class Rows:
    """A table of images; row i is record i.

    Attributes:
      ids: Names of the images, [n].
      patients: Their patients, [n].
      studies: The examinations that they are views of, [n]; an image of a set that does not tell
        examinations apart is one of its own, with its id as the name.
      labels: Label -> values, [n]; `items.MISSING` and `items.UNCERTAIN` are below zero.
      columns: Kept column -> texts, [n], as the raw tables spell them; "" where they say nothing.
    """

    ids: Shaped[np.ndarray, " n"]
    patients: Shaped[np.ndarray, " n"]
    studies: Shaped[np.ndarray, " n"]
    labels: dict[str, Int[np.ndarray, " n"]]
    columns: dict[str, Shaped[np.ndarray, " n"]]

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.ids)

    def first(self, count: int) -> Rows:
        """Returns the first images of the table."""
        return Rows(
            self.ids[:count],
            self.patients[:count],
            self.studies[:count],
            {label: values[:count] for label, values in self.labels.items()},
            {name: texts[:count] for name, texts in self.columns.items()},
        )

    @classmethod
    def joined(cls, tables: Sequence[Rows]) -> Rows:
        """Returns the tables of several splits, one below the other.

        A column that a table does not have is "" in its rows.
        """
        labels = {
            label: np.concatenate([table.labels[label] for table in tables])
            for label in tables[0].labels
        }
        columns = {
            name: np.concatenate(
                [table.columns.get(name, np.full(len(table), "")) for table in tables]
            )
            for name in dict.fromkeys(name for table in tables for name in table.columns)
        }
        return cls(
            np.concatenate([table.ids for table in tables]),
            np.concatenate([table.patients for table in tables]),
            np.concatenate([table.studies for table in tables]),
            labels,
            columns,
        )


def text(
    ids: Iterable[str],
    patients: Iterable[str],
    labels: Mapping[str, Sequence[int]],
    studies: Iterable[str] | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Returns the table as CSV: id, patient, study, a column per label, and kept columns.

    A kept column whose name is also that of another column is headed "NAME (text)".

    Args:
      ids: Names of the images.
      patients: Their patients.
      labels: Label -> values.
      studies: Their examinations; None for a table without that column.
      columns: Kept column -> texts.
    """
    columns = columns or {}
    keys = _keys(studies is not None)
    taken = {*keys, *labels}
    heads = [headed(name, taken) for name in columns]
    quoting = quoting_of(text for texts in columns.values() for text in texts)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=quoting)
    writer.writerow([*keys, *labels, *heads])
    known = [studies] if studies is not None else []
    writer.writerows(zip(ids, patients, *known, *labels.values(), *columns.values(), strict=True))
    return out.getvalue()


def headed(name: str, taken: Container[str]) -> str:
    """Returns the head of a kept column: "NAME (text)" where another column has its name."""
    return f"{name} (text)" if name in taken else name


def quoting_of(texts: Iterable[str]) -> Literal[0, 1]:
    """Returns how a CSV writer must quote texts so that they are read back as they are.

    A lone carriage return ends a row for the reader, but the writer does not quote it by itself.
    """
    return csv.QUOTE_ALL if any("\r" in text for text in texts) else csv.QUOTE_MINIMAL


def _keys(studies: bool) -> tuple[str, ...]:
    return (*_KEYS, _STUDY) if studies else _KEYS


def read(folder: str | Path, content: dict[str, Any]) -> Rows:
    """Reads the table of a split.

    Args:
      folder: Folder of the prepared data set.
      content: Entry of the split in the manifest.

    Raises:
      DataError: The table is missing, or is not the one that was written with the records.
    """
    path = Path(folder) / content["rows"]["file"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} is missing, though the manifest names it; prepare the data set again"
        ) from error
    if hashlib.sha256(data).hexdigest() != content["rows"]["sha256"]:
        raise DataError(
            f"{path} has changed since the data set was prepared: its rows may no longer be those"
            " of the records; prepare it again"
        )
    header, *rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    if len(rows) != content["records"]:
        raise DataError(
            f"{path} has {len(rows)} rows, the manifest says {content['records']}: prepare the"
            " data set again"
        )
    kept = list(content["rows"].get("columns", ()))
    keys = _keys(content["rows"].get("studies", False))
    first_kept = len(header) - len(kept)
    if tuple(header[: len(keys)]) != keys or first_kept < len(keys):
        raise DataError(
            f"{path} has the columns {', '.join(header)}, the manifest says {', '.join(keys)},"
            f" labels, and {len(kept)} kept columns: prepare the data set again"
        )
    values = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    texts = {name: np.array(column, str) for name, column in zip(keys, values, strict=False)}
    return Rows(
        texts["id"],
        texts["patient"],
        texts.get(_STUDY, texts["id"]),
        {
            name: np.array(column, np.int32)
            for name, column in zip(
                header[len(keys) : first_kept], values[len(keys) : first_kept], strict=True
            )
        },
        {
            name: np.array(column, str)
            for name, column in zip(kept, values[first_kept:], strict=True)
        },
    )
