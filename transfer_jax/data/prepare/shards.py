"""Writes one shard: its images are decoded in parallel, resized, encoded and written, with a report
beside it.

A shard is the unit of work: it exists together with its report, or not at all, so that an
interrupted preparation continues with the next one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from transfer_jax.core import digest, files
from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Item
from transfer_jax.data.prepare import originals
from transfer_jax.data.storage import examples, image_codec, tfrecord

_WINDOW = 64


@dataclasses.dataclass(frozen=True)
class Form:
    """How images are written.

    Attributes:
      size: Pixels of both sides.
      channels: 1 (grey) or 3 (RGB).
      fit: One of `image_codec.FITS`.
      encoding: One of `image_codec.ENCODINGS`.
      stretch: Whether originals of more than 8 bits are stretched from darkest to brightest; see
        `originals.load`.
      resize: One of `image_codec.METHODS`.
    """

    size: int
    channels: int
    fit: str = "pad"
    encoding: str = "jpeg"
    stretch: bool = False
    resize: str = "area"


@dataclasses.dataclass(frozen=True)
class Report:
    """What a finished shard holds, and what it does not.

    Attributes:
      bytes: Size of its file.
      sha256: Digest of its file.
      kept: Positions of the images that it holds among those that it was to hold.
      rejected: {"id", "split", "reason"} of the others.
      pixels: Number of pixels.
      sum: Sum of the pixels' values, per channel. The pixels are those that a network will see, of
        the stored images after decoding.
      squares: Sum of their squares, per channel.
      reaches: `originals.Original.reach` of every kept image that has one.
    """

    bytes: int
    sha256: str
    kept: list[int]
    rejected: list[dict[str, str]]
    pixels: int
    sum: list[int]
    squares: list[int]
    reaches: list[float]

    @property
    def moments(self) -> tuple[int, Int[np.ndarray, " c"], Int[np.ndarray, " c"]]:
        """Returns number of pixels, sum and sum of squares: integers, exact in any order."""
        return self.pixels, np.array(self.sum, np.int64), np.array(self.squares, np.int64)


def report_of(path: Path) -> Path:
    """Returns the path of the report of the shard at `path`."""
    return path.with_name(path.name + ".json")


def finished(path: Path) -> Report | None:
    """Returns the report of a shard that an earlier run has finished, if both are undamaged."""
    if not report_of(path).is_file() or not path.is_file():
        return None
    try:
        report = Report(**digest.read(report_of(path)))
    except (ValueError, TypeError):  # damaged, or of another version of this program
        return None
    return report if digest.of_file(path) == report.sha256 else None


def write(
    path: Path,
    items: Sequence[Item],
    form: Form,
    pool: ThreadPoolExecutor,
    progress: Callable[[DataError | None], Any],
) -> Report:
    """Writes a shard and its report.

    Args:
      path: Path of the shard.
      items: Its images, with their splits.
      form: How they are written.
      pool: Threads that decode them.
      progress: Called for every image, with None or with the reason why it is rejected; may raise.
    """
    kept: list[int] = []
    rejected: list[dict[str, str]] = []
    reaches: list[float] = []
    total = np.zeros((2, form.channels), np.int64)
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        for i, record in enumerate(_records(items, form, pool)):
            if isinstance(record, DataError):
                rejected.append(
                    {"id": items[i].id, "split": items[i].split or "", "reason": str(record)}
                )
                progress(record)
                continue
            tfrecord.write_record(file, record.payload)
            kept.append(i)
            total += record.sums
            if record.reach is not None:
                reaches.append(round(record.reach, 6))
            progress(None)
    sha256 = digest.of_file(part)
    pixels = len(kept) * form.size * form.size
    sums, squares = total.tolist()
    size = part.stat().st_size
    report = Report(size, sha256, kept, rejected, pixels, sums, squares, reaches)
    part.rename(path)
    files.write(report_of(path), json.dumps(digest.seal(dataclasses.asdict(report))))
    return report


class _Record(NamedTuple):
    """A record: its bytes, the sums of its pixels and of their squares, the original's reach."""

    payload: bytes
    sums: Int[np.ndarray, "2 c"]
    reach: float | None


def _records(
    items: Sequence[Item], form: Form, pool: ThreadPoolExecutor
) -> Iterator[_Record | DataError]:
    """Yields records in the order of the items.

    They are made a window at a time, which keeps memory small and stops soon after an error.
    """
    for start in range(0, len(items), _WINDOW):
        yield from pool.map(lambda item: _make_record(item, form), items[start : start + _WINDOW])


def _make_record(item: Item, form: Form) -> _Record | DataError:
    """Returns the record of an image, or the reason why the image is rejected."""
    try:
        original = originals.read(item.image, form.channels, stretch=form.stretch)
    except DataError as error:
        return error
    image = image_codec.resize(
        original.pixels, form.size, form.fit, form.resize, deep=original.deep
    )
    encoded = image_codec.encode(image, form.encoding)
    if form.encoding not in image_codec.LOSSLESS:
        # JPEG halves the resolution of colours and clips them: the mean of dark ones moves by
        # percents (the blue of fundus images by 2.4 %).
        image = image_codec.decode(encoded, form.encoding, image.shape, item.id)
    values = image.reshape(-1, form.channels).astype(np.int64)
    sums = np.stack([values.sum(0), (values * values).sum(0)])
    payload = examples.serialize(encoded, item.id, item.patient, item.labels)
    return _Record(payload, sums, original.reach)
