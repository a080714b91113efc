"""Decoded images in a file with a checksum of each: mapped into memory, checked as they are read.

The file holds the pixels of all images, then the checksum of every image (uint64, little endian),
then the SHA-256 of these checksums and of the data set that they belong to. It is one file, so
that it is whole or missing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped, UInt8, UInt64

from transfer_jax.core import digest, files
from transfer_jax.core.errors import DataError

_REMEDY = "remove it, and the next run decodes the images anew"


class Decoded:
    """The decoded images of a data set, by position.

    An image is compared with its checksum when it is first read in this process. That reads
    nothing that is not needed anyway, and an epoch later costs nothing.
    """

    def __init__(
        self, path: Path, shape: tuple[int, int, int], names: Shaped[np.ndarray, " n"], owner: str
    ) -> None:
        """Maps the file that `write` wrote.

        Args:
          path: Path of the file.
          shape: Height, width and channels of an image.
          names: Name of every image, for errors.
          owner: Digest of the data set that the images must be of.

        Raises:
          DataError: The file is not whole, or is of another data set.
        """
        self._path, self._names = path, names
        pixels, whole = len(names) * int(np.prod(shape)), (len(names), *shape)
        size = os.path.getsize(path)
        expected = pixels + 8 * len(names) + hashlib.sha256().digest_size
        if size != expected:
            raise DataError(f"{path} has {size} bytes instead of {expected}: {_REMEDY}")
        with open(path, "rb") as file:
            file.seek(pixels)
            sums = file.read(8 * len(names))
            if file.read() != _signature(sums, owner):
                raise DataError(f"{path} is damaged or of another data set: {_REMEDY}")
        self._sums = np.frombuffer(sums, "<u8")
        self._pixels = np.memmap(path, np.uint8, "r", shape=whole)
        self._checked = np.zeros(len(names), bool)  # threads may set an entry twice, to the same

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self._names)

    def __call__(self, positions: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        """Returns the images at these positions.

        Raises:
          DataError: The pixels of an image have changed since they were written.
        """
        images = np.asarray(self._pixels[positions])
        for i in np.flatnonzero(~self._checked[positions]).tolist():
            position = int(positions[i])
            if digest.checksum(images[i]) != self._sums[position]:
                raise DataError(
                    f"{self._path} is damaged: the pixels of image {self._names[position]} do not"
                    f" match their checksum: {_REMEDY}"
                )
            self._checked[position] = True
        return images


def write(
    path: Path,
    shape: tuple[int, int, int, int],
    owner: str,
    decode: Callable[[UInt8[np.ndarray, "n h w c"], UInt64[np.ndarray, " n"]], None],
) -> None:
    """Writes the decoded images of a data set atomically.

    Args:
      path: Path of the file.
      shape: Number of images, and height, width and channels of each.
      owner: Digest of the data set.
      decode: Fills the pixels and the checksum of every image.

    Raises:
      DataError: The file cannot be written.
    """
    sums = np.zeros(shape[0], "<u8")
    try:
        with files.replacing(path) as part:
            pixels = np.memmap(part, np.uint8, "w+", shape=shape)
            decode(pixels, sums)
            pixels.flush()
            with open(part, "ab") as file:
                file.write(sums.tobytes() + _signature(sums.tobytes(), owner))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise DataError(
            f"cannot write decoded images to {path.parent} ({error.strerror}): choose"
            " config.data.mode='streamed'"
        ) from error


def _signature(sums: bytes, owner: str) -> bytes:
    return hashlib.sha256(sums + owner.encode()).digest()
