"""Which members of two runs are compared with each other, and on which images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from transfer_jax.core.errors import ConfigError
from transfer_jax.data import records, spec
from transfer_jax.data.records import Records
from transfer_jax.studies.shown import spread
from transfer_jax.studies.side_by_side.finished import Run


class Pairing(NamedTuple):
    """Members that are compared, repeat by repeat, and the images that judge them.

    Attributes:
      records: of the data set.
      positions: for each repeat, the images that judge it: [n], in the records.
      described: the images, in words.
    """

    records: Records
    positions: tuple[Int[np.ndarray, " _"], ...]
    described: str

    def spread(self, images: int) -> list[Int[np.ndarray, " _"]]:
        """At most so many images of each repeat, evenly spread over all, as many of each as the repeat with the fewest has."""
        most = min(images, *(len(own) for own in self.positions))
        return [spread(own, most) for own in self.positions]


def pair(a: Run, b: Run, data: Path | None, splits: Sequence[str]) -> Pairing:
    """Pairs members by repeat; weights stand for any repeat, and of two studies the larger's last repeats stay out.

    Args:
      a: the first run.
      b: the second.
      data: a prepared data set that judges every repeat; None: the studies' own validation images, in folds each repeat's own.
      splits: of `data`.

    Raises:
      ConfigError: no data are given, and the runs are not studies that were judged by the same images.
      DataError: the data set or a split is missing or damaged.
    """
    repeats = min((run.repeats for run in (a, b) if run.repeats is not None), default=1)
    if data is None:
        return _own(a, b, repeats)
    manifest = spec.Manifest.read(data)
    found, positions = records.open_splits(data, manifest, splits)
    wanted = np.concatenate([positions[split] for split in splits])
    described = f"{len(wanted)} images of {manifest.name} ({data}), {', '.join(splits)} (whether a network was trained on them is not checked)"
    return Pairing(found, (wanted,) * repeats, described)


def _own(a: Run, b: Run, repeats: int) -> Pairing:
    if a.opened is None or b.opened is None:
        weights = " and ".join(run.named for run in (a, b) if run.opened is None)
        raise ConfigError(f"--data is missing: {weights} {'are' if a.opened is b.opened else 'is'} weights, so say on which images to compare")
    one, other = ([opened.part(repeat).val for repeat in range(repeats)] for opened in (a.opened, b.opened))
    if a.opened.records.digest != b.opened.records.digest or not all(np.array_equal(x, y) for x, y in zip(one, other, strict=True)):
        raise ConfigError(f"--data is missing: {a.named} and {b.named} were not judged by the same images, so say on which to compare")
    folds = "; each repeat by its own fold" if len(a.opened.parts) > 1 else ""
    sizes = sorted({len(own) for own in one})
    size = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return Pairing(a.opened.records, tuple(one), f"{size} validation images of {a.opened.manifest.name}{folds}")
