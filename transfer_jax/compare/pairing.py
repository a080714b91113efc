"""Which members of two sides are compared with each other, and on which images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from transfer_jax.compare.sides import Side
from transfer_jax.core.errors import ConfigError
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.data.storage.records import Records
from transfer_jax.data.stored_images import spread


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pairing:
    """Members that are compared, repeat by repeat, and the images that judge them.

    Attributes:
      records: Images of the data set.
      positions: Per repeat, positions [n] of the images that judge it.
      described: The images in words.
    """

    records: Records
    positions: tuple[Int[np.ndarray, " _"], ...]
    described: str

    def spread(self, images: int) -> list[Int[np.ndarray, " _"]]:
        """Returns at most this many images per repeat, evenly spread over all of its images.

        Every repeat gets as many as the repeat with the fewest images has.
        """
        most = min(images, *(len(positions) for positions in self.positions))
        return [spread(positions, most) for positions in self.positions]


def pair(a: Side, b: Side, data: Path | None, splits: Sequence[str]) -> Pairing:
    """Pairs members by repeat.

    Weights stand for any repeat. Of two studies, the last repeats of the larger one have no partner
    and are left out.

    Args:
      a: The first side.
      b: The second side.
      data: A prepared data set that judges every repeat; None for the studies' own validation
        images, in folds the images of each repeat.
      splits: Splits of `data`.

    Raises:
      ConfigError: No data are given, and the sides are not studies that were judged by the same
        images.
      DataError: The data set or a split is missing or damaged.
    """
    repeats = min((side.repeats for side in (a, b) if side.repeats is not None), default=1)
    if data is None:
        return _validation_images(a, b, repeats)
    manifest = Manifest.read(data)
    pool, positions = records.open_splits(data, manifest, splits)
    rows = np.concatenate([positions[split] for split in splits])
    described = (
        f"{len(rows)} images of {manifest.name} ({data}), {', '.join(splits)} "
        "(whether a network was trained on them is not checked)"
    )
    return Pairing(records=pool, positions=(rows,) * repeats, described=described)


def _validation_images(a: Side, b: Side, repeats: int) -> Pairing:
    if a.dataset is None or b.dataset is None:
        weights = [side.named for side in (a, b) if side.dataset is None]
        raise ConfigError(
            f"--data is missing: {' and '.join(weights)} {'are' if len(weights) > 1 else 'is'} "
            "weights, so say on which images to compare"
        )
    images_a, images_b = (
        [side.part(repeat).val for repeat in range(repeats)] for side in (a.dataset, b.dataset)
    )
    same_set = a.dataset.records.digest == b.dataset.records.digest
    if not same_set or not all(map(np.array_equal, images_a, images_b)):
        raise ConfigError(
            f"--data is missing: {a.named} and {b.named} were not judged by the same images, "
            "so say on which to compare"
        )
    folds = "; each repeat by its own fold" if len(a.dataset.parts) > 1 else ""
    sizes = sorted({len(positions) for positions in images_a})
    size = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    described = f"{size} validation images of {a.dataset.manifest.name}{folds}"
    return Pairing(records=a.dataset.records, positions=tuple(images_a), described=described)
