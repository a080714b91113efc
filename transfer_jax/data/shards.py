"""One shard: its images are decoded in parallel, resized, encoded and written; what came of it is kept in a file beside it.

A shard is the unit of work: it is there with its report, or not at all, so that an interrupted preparation goes on with the next one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
      sum: of the pixels' values, per channel.
      squares: sum of their squares, per channel.
    """

    bytes: int
    sha256: str
    kept: list[int]
    rejected: list[dict[str, str]]
    pixels: int
    sum: list[int]
    squares: list[int]

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
        report = Report(**digest.unseal(json.loads(report_of(path).read_bytes())))
    except (ValueError, TypeError):
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
    total = np.zeros((2, form.channels), np.int64)
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        for i, made in enumerate(_made(items, form, pool)):
            if isinstance(made, DataError):
                rejected.append({"id": items[i].id, "split": items[i].split or "", "reason": str(made)})
                told(made)
                continue
            payload, sums = made
            tfrecord.write_record(file, payload)
            kept.append(i)
            total += sums
            told(None)
    sha256 = digest.of_file(part)
    pixels = len(kept) * form.size * form.size
    report = Report(part.stat().st_size, sha256, kept, rejected, pixels, total[0].tolist(), total[1].tolist())
    part.rename(path)
    files.write(report_of(path), json.dumps(digest.seal(dataclasses.asdict(report))))
    return report


def _made(items: Sequence[Item], form: Form, pool: ThreadPoolExecutor) -> Iterator[tuple[bytes, np.ndarray] | DataError]:
    """Records in the items' order; a window at a time, which keeps memory small and stops soon after an error."""
    for start in range(0, len(items), _WINDOW):
        yield from pool.map(lambda item: _record(item, form), items[start : start + _WINDOW])


def _record(item: Item, form: Form) -> tuple[bytes, np.ndarray] | DataError:
    try:
        original = originals.load(item.image, form.channels, stretch=form.stretch)
    except DataError as error:
        return error
    image = images.resize(original, form.size, form.fit)
    values = image.reshape(-1, form.channels).astype(np.int64)
    sums = np.stack([values.sum(0), (values * values).sum(0)])
    return examples.serialize(images.encode(image, form.encoding), item.id, item.patient, item.labels), sums
