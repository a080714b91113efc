"""One shard: its images are decoded in parallel, resized, encoded and written; what came of it is kept in a file beside it.

A shard is the unit of work: it is there with its report, or not at all, so that an interrupted preparation goes on with the next one.
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
from transfer_jax.data import examples, images, originals, tfrecord
from transfer_jax.data.items import Item

_WINDOW = 64


@dataclasses.dataclass(frozen=True)
class Form:
    """How images are written.

    Attributes:
      size: pixels of both sides.
      channels: 1 (grey) or 3 (RGB).
      fit: of `images.FITS`.
      encoding: of `images.ENCODINGS`.
      stretch: originals of more than 8 bits are stretched from darkest to brightest; see `originals.load`.
    """

    size: int
    channels: int
    fit: str = "pad"
    encoding: str = "jpeg"
    stretch: bool = False


@dataclasses.dataclass(frozen=True)
class Report:
    """What came of a shard.

    Attributes:
      bytes: of its file.
      sha256: of its file.
      kept: positions, among the images it was asked to hold, of those it holds.
      rejected: {"id", "split", "reason"} of the others.
      pixels: number of pixels.
      sum: Sum of the pixels' values, per channel. The pixels are those that a network will see,
        of the stored images after decoding.
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
        """Number of pixels, sum and sum of squares: integers, exact in any order."""
        return self.pixels, np.array(self.sum, np.int64), np.array(self.squares, np.int64)


def report_of(path: Path) -> Path:
    """Where the report of the shard at `path` is."""
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


def write(path: Path, items: Sequence[Item], form: Form, pool: ThreadPoolExecutor, told: Callable[[DataError | None], Any]) -> Report:
    """Writes a shard and its report.

    Args:
      path: of its file.
      items: its images, with their splits.
      form: how they are written.
      pool: decodes them.
      told: called for every image, with None or with why it is rejected; may raise.
    """
    kept: list[int] = []
    rejected: list[dict[str, str]] = []
    reaches: list[float] = []
    total = np.zeros((2, form.channels), np.int64)
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        for i, made in enumerate(_made(items, form, pool)):
            if isinstance(made, DataError):
                rejected.append({"id": items[i].id, "split": items[i].split or "", "reason": str(made)})
                told(made)
                continue
            tfrecord.write_record(file, made.payload)
            kept.append(i)
            total += made.sums
            if made.reach is not None:
                reaches.append(round(made.reach, 6))
            told(None)
    sha256 = digest.of_file(part)
    pixels = len(kept) * form.size * form.size
    sums, squares = total.tolist()
    size = part.stat().st_size
    report = Report(size, sha256, kept, rejected, pixels, sums, squares, reaches)
    part.rename(path)
    files.write(report_of(path), json.dumps(digest.seal(dataclasses.asdict(report))))
    return report


class _Made(NamedTuple):
    """A record: its bytes, the sums of its pixels and of their squares, the original's reach."""

    payload: bytes
    sums: Int[np.ndarray, "2 c"]
    reach: float | None


def _made(items: Sequence[Item], form: Form, pool: ThreadPoolExecutor) -> Iterator[_Made | DataError]:
    """Yields records in the items' order.

    They are made a window at a time, which keeps memory small and stops soon after an error.
    """
    for start in range(0, len(items), _WINDOW):
        yield from pool.map(lambda item: _record(item, form), items[start : start + _WINDOW])


def _record(item: Item, form: Form) -> _Made | DataError:
    try:
        original = originals.read(item.image, form.channels, stretch=form.stretch)
    except DataError as error:
        return error
    image = images.resize(original.pixels, form.size, form.fit)
    encoded = images.encode(image, form.encoding)
    if form.encoding not in images.LOSSLESS:
        # JPEG halves the resolution of colours and clips them: the mean of dark ones moves by
        # percents (the blue of fundus images by 2.4 %).
        image = images.decode(encoded, form.encoding, image.shape, item.id)
    values = image.reshape(-1, form.channels).astype(np.int64)
    sums = np.stack([values.sum(0), (values * values).sum(0)])
    payload = examples.serialize(encoded, item.id, item.patient, item.labels)
    return _Made(payload, sums, original.reach)
