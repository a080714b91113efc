"""What a prepared data set is: its manifest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from transfer_jax.core import normalisation
from transfer_jax.core.errors import DataError
from transfer_jax.core.normalisation import Normalisation

MANIFEST = "manifest.json"
FORMAT = 2


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is in a prepared folder; written as manifest.json.

    Attributes:
      name: the data set's name, which its files begin with.
      height: pixels.
      width: pixels.
      channels: 1 (grey) or 3 (RGB).
      encoding: "jpeg", "png" or "raw".
      mean: Mean of the stored training images, as they are decoded again, per channel, in 0..1.
      std: Their standard deviation, per channel.
      labels: label -> {"counts": {split: {value: images}}, "names": names of the values or None}; values below zero: see `items`.
      splits: split -> {"records", "patients", "rows": {"file", "sha256"}, "shards": [{"file", "records", "bytes", "sha256"}]}.
      rejected: the images that could not be read: {"id", "split", "reason"} each.
      overlap: patients that are in several splits; above zero only where it was allowed.
      source: where the images came from and what was done to them.
    """

    name: str
    height: int
    width: int
    channels: int
    encoding: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: dict[str, Any]
    splits: dict[str, Any]
    rejected: list[dict[str, str]]
    overlap: int
    source: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.height, self.width, self.channels

    @property
    def image_bytes(self) -> int:
        """Bytes of a decoded image."""
        return self.height * self.width * self.channels

    def normalisation(self) -> Normalisation:
        """The set's own mean and standard deviation."""
        return Normalisation(normalisation.OWN, self.mean, self.std)

    def values(self) -> dict[str, set[int]]:
        """Label -> the values that it takes in any split; missing and uncertain ones do not count."""
        return {
            name: {int(value) for counts in content["counts"].values() for value in counts if int(value) >= 0}
            for name, content in self.labels.items()
        }

    def to_json(self) -> str:
        """The manifest as indented JSON."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """The manifest of a prepared folder.

        Raises:
          DataError: the folder or its manifest is missing, unreadable, or of another format.
        """
        path = Path(folder) / MANIFEST
        if not path.is_file():
            what = f"has no {MANIFEST}" if Path(folder).is_dir() else "does not exist"
            raise DataError(f"data folder {folder} {what}: make it with python -m transfer_jax.tools.prepare, or give another path")
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            version = fields.pop("format")
            if version != FORMAT:
                raise DataError(f"{path} has format {version}, this program reads {FORMAT}: prepare the data set again")
            return cls(**{**fields, "mean": tuple(fields["mean"]), "std": tuple(fields["std"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is not a manifest of this program ({error}): prepare the data set again") from error
