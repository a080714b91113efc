"""Groups of images by a kept column: every value of it, or bands of a number such as age."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Collection, Mapping

import numpy as np
from jaxtyping import Shaped

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

# "58", "058Y" and "58.5" are ages; DICOM writes ages as three digits and a letter.
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[Yy]?\s*")


@dataclasses.dataclass(frozen=True)
class Grouping:
    """A rule that puts every image into a group, or into none.

    Attributes:
      column: Name of a kept column.
      bounds: Lower bounds of all bands but the first, ascending; () makes a group of every value.
    """

    column: str
    bounds: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Grouping:
        """Returns the grouping of "sex" or "age:40,60".

        Raises:
          ConfigError: The bounds are no ascending numbers.
        """
        column, _, listed = text.partition(":")
        try:
            bounds = tuple(float(bound) for bound in listed.split(",")) if listed else ()
        except ValueError:
            bounds = (0.0, 0.0)
        ascending = all(low < high for low, high in itertools.pairwise(bounds))
        if not column or not ascending or (":" in text and not listed):
            raise ConfigError(
                f"the grouping {text!r} is neither a column, such as 'sex', nor a column with "
                "ascending bounds, such as 'age:40,60'"
            )
        return cls(column, bounds)

    def assign(
        self, columns: Mapping[str, Shaped[np.ndarray, " n"]], where: str
    ) -> Shaped[np.ndarray, " n"]:
        """Returns the group of every image, such as "sex=F" or "age=40-60"; "" for unknown values.

        Args:
          columns: Kept column -> text of every image.
          where: What the images are, for the message.

        Raises:
          ConfigError: The column is not there, or has a value that is no number where bands of
            numbers are asked for.
        """
        if self.column not in columns:
            raise ConfigError(_missing(self.column, columns, where))
        values = columns[self.column]
        names = [self._name(str(value), where) for value in values]
        return np.array(names, dtype=str) if names else np.zeros(0, "<U1")

    def _name(self, value: str, where: str) -> str:
        if not value.strip():
            return ""
        if not self.bounds:
            return f"{self.column}={value}"
        matched = _NUMBER.fullmatch(value)
        if matched is None:
            raise ConfigError(
                f"{where} has {self.column} = {value!r}, which is no number: group by "
                f"{self.column!r} without bounds, or mend the table"
            )
        band = int(np.searchsorted(self.bounds, float(matched[1]), side="right"))
        low = f"{self.bounds[band - 1]:g}" if band else ""
        high = f"{self.bounds[band]:g}" if band < len(self.bounds) else ""
        if not low:
            return f"{self.column}=below {high}"
        return f"{self.column}={low}-{high}" if high else f"{self.column}={low} and over"


def listed(text: str) -> tuple[str, ...]:
    """Returns the groupings of a list on a command line, such as "sex,age:40,60,view".

    A number after a comma is one more bound of the grouping before it; a semicolon ends a grouping,
    too.
    """
    groupings: list[str] = []
    for part in text.split(";"):
        words = [word.strip() for word in part.split(",")]
        for i, word in enumerate(words):
            if i and groupings and ":" in groupings[-1] and _is_number(word):
                groupings[-1] += f",{word}"
            elif word or i:
                groupings.append(word)
    return tuple(groupings)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _missing(column: str, columns: Collection[str], where: str) -> str:
    if not columns:
        return (
            f"{where} has no column {column!r} to group by: it keeps none; prepare it again with "
            f"--keep={column}"
        )
    return f"{where} has no column {column!r} to group by: {nearest(column, columns)}"
