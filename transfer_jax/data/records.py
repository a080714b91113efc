"""The images of a prepared set, by position: decoded from their records, or gathered from a file of decoded pixels."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from transfer_jax.core import files
from transfer_jax.core.errors import DataError
from transfer_jax.data import examples, images, rows
from transfer_jax.data.rows import Rows
from transfer_jax.data.spec import Manifest
from transfer_jax.data.tfrecord import RecordSource

_CACHE = "decoded"
_WINDOW = 256

# Positions [b] -> images [b, h, w, c], in that order.
Load = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Records:
    """The images of some splits of a prepared set, one split after the other.

    Attributes:
      folder: of the set.
      manifest: of the set.
      source: the records.
      rows: row i is record i.
      digest: of the contents of all shards.
    """

    folder: Path
    manifest: Manifest
    source: RecordSource
    rows: Rows
    digest: str

    def __len__(self) -> int:
        """Number of images."""
        return len(self.source)

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all images, decoded."""
        return len(self) * self.manifest.image_bytes

    def __call__(self, positions: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        """Decodes the images at these positions.

        Raises:
          DataError: a record is damaged, or is not the one that its row tells of.
        """
        out = np.empty((len(positions), *self.manifest.shape), np.uint8)
        for i, position in enumerate(positions.tolist()):
            data, name = examples.image(self.source[position])
            if name != self.rows.ids[position]:
                raise DataError(f"record {position} of {self.folder} is {name!r}, its table says {str(self.rows.ids[position])!r}: prepare it again")
            out[i] = images.decode(data, self.manifest.encoding, self.manifest.shape, name)
        return out

    def mapped(self, progress: Callable[[int], object] = lambda count: None) -> UInt8[np.ndarray, "n h w c"]:
        """All images, decoded, as a read-only memory map; decoded once, into the folder's `decoded`, and kept there.

        Raises:
          DataError: a record is damaged, or the folder cannot be written to.
        """
        path = self.cache()
        shape = (len(self), *self.manifest.shape)
        if not path.exists():
            try:
                with files.replacing(path) as part:
                    pixels = np.memmap(part, np.uint8, "w+", shape=shape)
                    self.decode_into(pixels, progress)
                    pixels.flush()
            except OSError as error:
                raise DataError(f"cannot write decoded images to {path.parent} ({error.strerror}): choose config.data.mode='streamed'") from error
        return np.memmap(path, np.uint8, "r", shape=shape)

    def cache(self) -> Path:
        """Where the decoded images are, or will be."""
        return self.folder / _CACHE / f"{self.digest[:16]}.uint8"

    def decode_into(self, pixels: UInt8[np.ndarray, "n h w c"], progress: Callable[[int], object] = lambda count: None, first: int = 0) -> None:
        """Decodes the images from position `first` on, by all cores, into `pixels`."""

        def decode(start: int) -> None:
            stop = min(start + _WINDOW, len(pixels))
            pixels[start:stop] = self(np.arange(first + start, first + stop))
            progress(stop - start)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(decode, range(0, len(pixels), _WINDOW)))


def open_splits(
    folder: str | Path, manifest: Manifest, splits: Sequence[str], tables: Mapping[str, Rows] | None = None
) -> tuple[Records, dict[str, Int[np.ndarray, " m"]]]:
    """The records of some splits, and the positions of each split in them; `tables` are the splits' rows where they are read already.

    Raises:
      DataError: a split is not there, or a shard or a table is missing or damaged.
    """
    for split in splits:
        if split not in manifest.splits or not manifest.splits[split]["records"]:
            raise DataError(f"data set {folder} has no split {split!r} (it has {', '.join(manifest.splits)}): prepare it with one")
    folder = Path(folder)
    contents = [manifest.splits[split] for split in splits]
    known = [tables[split] if tables else rows.read(folder, manifest.splits[split]) for split in splits]
    shards = [shard for content in contents for shard in content["shards"]]
    source = RecordSource(folder / shard["file"] for shard in shards)
    wanted = sum(content["records"] for content in contents)
    if len(source) != wanted:
        raise DataError(f"{folder}: splits {', '.join(splits)} have {len(source)} records, the manifest says {wanted}: prepare it again")
    ends = np.cumsum([0] + [len(table) for table in known])
    positions = {split: np.arange(ends[i], ends[i + 1]) for i, split in enumerate(splits)}
    digest = hashlib.sha256(json.dumps([shard["sha256"] for shard in shards]).encode()).hexdigest()
    return Records(folder, manifest, source, Rows.joined(known), digest), positions
