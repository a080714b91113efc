"""The manifest of a prepared data set: what its folder holds, with a digest of all of it."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transfer_jax.core import digest, files, normalisation
from transfer_jax.core.errors import DataError
from transfer_jax.core.normalisation import Normalisation
from transfer_jax.data.items import SPLITS, UNCERTAIN
from transfer_jax.data.storage.image_codec import ENCODINGS

MANIFEST = "manifest.json"
FORMAT = 3
LARGEST_SIDE = 1 << 14


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The content of a prepared folder; written as manifest.json.

    Attributes:
      name: Name of the data set, with which its files begin.
      height: Height of the images in pixels.
      width: Width of the images in pixels.
      channels: 1 (grey) or 3 (RGB).
      encoding: "jpeg", "png" or "raw".
      mean: Mean of every channel, in 0..1, over the training images as they are decoded again;
        empty for a set without training images, such as one for external validation.
      std: Standard deviation of every channel over the same pixels; empty likewise.
      labels: Label -> {"counts": {split: {value: images}}, "names": names of the values or None};
        for values below zero see `items`.
      splits: Split -> {"records", "patients", "rows": {"file", "sha256"}, "shards": [{"file",
        "records", "bytes", "sha256", "index_sha256"}]}; "index_sha256" is the digest of
        `tfrecord.Index`. "rows" has "studies": true where the table has a column of them, and
        "columns" with the names of kept columns where it has any.
      rejected: Images that could not be read, as {"id", "split", "reason"}.
      overlap: Number of patients in several splits; above zero only where that was allowed.
      source: Where the images came from and how they were processed.
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

    @functools.cached_property
    def digest(self) -> str:
        """Digest of the manifest, and so of the data set's records and tables."""
        return str(self._sealed()[digest.KEY])

    def _sealed(self) -> dict[str, Any]:
        return digest.seal({"format": FORMAT, **dataclasses.asdict(self)})

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the kept columns, in the order of the tables."""
        tables = [content["rows"].get("columns", ()) for content in self.splits.values()]
        return tuple(dict.fromkeys(name for names in tables for name in names))

    def normalisation(self) -> Normalisation:
        """Returns the set's own mean and standard deviation.

        Raises:
          DataError: The set has no training images, over which they would be taken.
        """
        if not self.mean:
            raise DataError(
                f"data set {self.name} has no training images, and so no normalisation of its own:"
                " take that of the network, or name one"
            )
        return Normalisation(normalisation.OWN, self.mean, self.std)

    def values(self) -> dict[str, set[int]]:
        """Returns label -> the values that it takes in any split, without missing and uncertain."""
        return {
            name: {
                int(value)
                for counts in content["counts"].values()
                for value in counts
                if int(value) >= 0
            }
            for name, content in self.labels.items()
        }

    def to_json(self) -> str:
        """Returns the manifest as indented JSON, with its own digest."""
        return json.dumps(self._sealed(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """Reads the manifest of a prepared folder.

        Raises:
          DataError: The folder or its manifest is missing, unreadable, of another format, changed
            since it was written, or holds values that no data set has.
        """
        path = Path(folder) / MANIFEST
        if not path.is_file():
            is_folder = Path(folder).is_dir()
            raise DataError(
                f"data folder {folder} {f'has no {MANIFEST}' if is_folder else 'does not exist'}: "
                "make it with python -m transfer_jax.tools.prepare, or give another path"
            )
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            version = fields["format"]
            if version != FORMAT:
                raise DataError(
                    f"{path} has format {version}, this program reads {FORMAT}: prepare the data"
                    " set again"
                )
            fields = digest.unseal(fields)
            del fields["format"]
            problem = next(_problems(fields), None)
            if problem is not None:
                raise DataError(f"{path} cannot be right, {problem}: prepare the data set again")
            return cls(**{**fields, "mean": tuple(fields["mean"]), "std": tuple(fields["std"])})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path} is not a manifest of this program ({error}): prepare the data set again"
            ) from error


def _problems(fields: dict[str, Any]) -> Iterator[str]:
    """Yields what is impossible in a manifest of this program, even where its digest is right."""
    for name in ("height", "width"):
        if not _is_count(fields[name]) or not 1 <= fields[name] <= LARGEST_SIDE:
            yield f"{name} is {fields[name]!r} and must lie in 1..{LARGEST_SIDE}"
    channels = fields["channels"]
    if not _is_count(channels) or channels not in (1, 3):
        yield f"channels is {channels!r} and must be 1 or 3"
    if fields["encoding"] not in ENCODINGS:
        yield f"encoding is {fields['encoding']!r} and must be one of {', '.join(ENCODINGS)}"
    trained = "train" in fields["splits"]
    for name in ("mean", "std"):
        values = fields[name]
        if len(values) != channels * trained or not all(map(_is_share, values)):
            yield (
                f"{name} is {values} and must be one number in 0..1 per channel"
                if trained
                else f"{name} is {values} and must be empty, as there are no training images"
            )
    if min(fields["std"], default=1) <= 0:
        yield f"std is {fields['std']} and must be positive"
    for name, kind in (("name", str), ("rejected", list), ("source", dict)):
        if not isinstance(fields[name], kind):
            yield f"{name} is not a {kind.__name__}"
    if not _is_count(fields["overlap"]):
        yield f"overlap is {fields['overlap']!r}"
    splits = fields["splits"]
    for split, content in splits.items():
        yield from _split_problems(split, content)
    for label, content in fields["labels"].items():
        for split, counts in content["counts"].items():
            known = split in splits and all(int(value) >= UNCERTAIN for value in counts)
            if not known or not all(map(_is_count, counts.values())):
                yield f"label {label!r} has the counts {counts} in the split {split!r}"
            elif sum(counts.values()) != splits[split]["records"]:
                total = sum(counts.values())
                yield f"label {label!r} counts {total} images in the split {split!r}"


def _split_problems(split: str, content: dict[str, Any]) -> Iterator[str]:
    shards = content["shards"]
    if split not in SPLITS:
        yield f"it has a split {split!r}"
    for entry in (content, *shards):
        if not _is_count(entry["records"]) or not _is_count(entry.get("bytes", 0)):
            yield f"the split {split!r} has negative or broken counts"
    if sum(shard["records"] for shard in shards) != content["records"]:
        yield f"the shards of the split {split!r} do not have {content['records']} records"
    if not _is_count(content["patients"]) or content["patients"] > content["records"]:
        yield f"the split {split!r} has {content['patients']!r} patients"
    columns = content["rows"].get("columns", [])
    if len({str(name) for name in columns}) < len(columns) or not isinstance(columns, list):
        yield f"the split {split!r} has the kept columns {columns!r}"
    for name in (content["rows"]["file"], *(shard["file"] for shard in shards)):
        if not name or files.below(Path(), name) is None or Path(name).name != name:
            yield f"the file {name!r} is not in the folder"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= 1
