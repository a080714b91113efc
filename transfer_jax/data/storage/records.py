"""Images of a prepared set by position: decoded from records, or gathered from decoded pixels."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8, UInt64

from transfer_jax.core import digest
from transfer_jax.core.errors import DataError
from transfer_jax.data.storage import decoded_file, examples, image_codec, rows
from transfer_jax.data.storage.decoded_file import Decoded
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.data.storage.rows import Rows
from transfer_jax.data.storage.tfrecord import Index, RecordSource

_CACHE = "decoded"
_WINDOW = 256

# Positions [b] -> images [b, h, w, c], in that order.
Load = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Records:
    """The images of some splits of a prepared set, one split after the other.

    Attributes:
      folder: Folder of the set.
      manifest: Manifest of the set.
      source: The records.
      rows: Table of the images; row i is record i.
      digest: Digest of the data set and of the splits taken.
    """

    folder: Path
    manifest: Manifest
    source: RecordSource
    rows: Rows
    digest: str

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.rows)

    def first(self, splits: Sequence[str]) -> Records:
        """Returns the images of the first splits alone, as if the others had not been opened.

        Args:
          splits: The first of the splits that were opened, in their order.
        """
        count = sum(self.manifest.splits[split]["records"] for split in splits)
        return dataclasses.replace(
            self, rows=self.rows.first(count), digest=_identity(self.manifest, splits)
        )

    @property
    def decoded_bytes(self) -> int:
        """Number of bytes of all images, decoded."""
        return len(self) * self.manifest.image_bytes

    def __call__(self, positions: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        """Decodes the images at some positions.

        Raises:
          DataError: A record is damaged, or is not the one that its row describes.
        """
        out = np.empty((len(positions), *self.manifest.shape), np.uint8)
        for i, position in enumerate(positions.tolist()):
            data, name = examples.image(self.source[position])
            if name != self.rows.ids[position]:
                raise DataError(
                    f"record {position} of {self.folder} is {name!r}, its table says"
                    f" {str(self.rows.ids[position])!r}: prepare it again"
                )
            out[i] = image_codec.decode(data, self.manifest.encoding, self.manifest.shape, name)
        return out

    def mapped(self, progress: Callable[[int], object] = lambda count: None) -> Decoded:
        """Returns all images, decoded into a file in the folder's `decoded` unless it exists.

        Raises:
          DataError: A record or the file is damaged, or the folder cannot be written to.
        """
        path = self.cache()
        if not path.exists():
            shape = (len(self), *self.manifest.shape)
            decoded_file.write(
                path,
                shape,
                self.digest,
                lambda pixels, sums: self.decode_into(pixels, progress, sums=sums),
            )
        return Decoded(path, self.manifest.shape, self.rows.ids, self.digest)

    def cache(self) -> Path:
        """Returns the path of the decoded images, whether they exist or not."""
        return self.folder / _CACHE / f"{self.digest[:16]}.uint8"

    def decode_into(
        self,
        pixels: UInt8[np.ndarray, "n h w c"],
        progress: Callable[[int], object] = lambda count: None,
        first: int = 0,
        sums: UInt64[np.ndarray, " n"] | None = None,
    ) -> None:
        """Decodes images on all cores.

        Args:
          pixels: Array that is filled with the images.
          progress: Called with a number of images that are done.
          first: Position of the first image.
          sums: Array that is filled with the checksum of every image.
        """

        def decode(start: int) -> None:
            stop = min(start + _WINDOW, len(pixels))
            batch = self(np.arange(first + start, first + stop))
            pixels[start:stop] = batch
            if sums is not None:
                sums[start:stop] = [digest.checksum(image) for image in batch]
            progress(stop - start)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(decode, range(0, len(pixels), _WINDOW)))


def open_splits(
    folder: str | Path,
    manifest: Manifest,
    splits: Sequence[str],
    tables: Mapping[str, Rows] | None = None,
) -> tuple[Records, dict[str, Int[np.ndarray, " m"]]]:
    """Opens the records of some splits, and returns the positions of each split in them.

    Records other than those that the manifest lists are detected here, by their sizes and
    checksums; a payload that does not match its checksum is detected when it is read.

    Args:
      folder: Folder of the prepared data set.
      manifest: Its manifest.
      splits: Names of the splits.
      tables: The splits' rows where they are read already.

    Raises:
      DataError: No split is named, one does not exist or is named twice, or a shard or a table is
        missing, damaged, or not the one that the manifest lists.
    """
    if not splits:
        known = ", ".join(manifest.splits)
        raise DataError(
            f"data set {folder} has {known} alone, and nothing to train on: prepare it with"
            " training images"
        )
    for split in splits:
        if splits.count(split) > 1:
            raise DataError(f"split {split!r} is named twice: name every split once")
        if split not in manifest.splits or not manifest.splits[split]["records"]:
            known = ", ".join(manifest.splits)
            why = ", so that nothing can be trained on it" if "train" not in manifest.splits else ""
            raise DataError(
                f"data set {folder} has no split {split!r} (it has {known}){why}: prepare it with"
                " one"
            )
    folder = Path(folder)
    contents = [manifest.splits[split] for split in splits]
    split_rows = [
        tables[split] if tables else rows.read(folder, content)
        for split, content in zip(splits, contents, strict=True)
    ]
    shards = [shard for content in contents for shard in content["shards"]]
    source = RecordSource(folder / shard["file"] for shard in shards)
    for shard, index in zip(shards, source.indexes, strict=True):
        _check_shard(folder / shard["file"], shard, index)
    ends = np.cumsum([0] + [len(table) for table in split_rows])
    positions = {split: np.arange(ends[i], ends[i + 1]) for i, split in enumerate(splits)}
    identity = _identity(manifest, splits)
    return Records(folder, manifest, source, Rows.joined(split_rows), identity), positions


def _identity(manifest: Manifest, splits: Sequence[str]) -> str:
    return digest.of_json([manifest.digest, list(splits)])


def _check_shard(path: Path, shard: Mapping[str, Any], index: Index) -> None:
    remedy = "it is damaged or of another preparation; prepare the data set again"
    for what, actual, expected in (
        ("bytes", index.size, shard["bytes"]),
        ("records", len(index.entries), shard["records"]),
    ):
        if actual != expected:
            raise DataError(f"{path} has {actual} {what}, the manifest says {expected}: {remedy}")
    if index.digest != shard["index_sha256"]:
        raise DataError(
            f"{path}: its records' lengths and checksums are not those of the manifest: {remedy}"
        )
