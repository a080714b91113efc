"""TFRecord files without TensorFlow: framing, checksums, and an offset index for random access.

A record is `uint64 length | uint32 crc(length) | payload | uint32 crc(payload)`, little endian;
the checksums are CRC32C, rotated and offset ("masked") as in TensorFlow, so that a checksum of
checksums stays sound.
"""

import hashlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import google_crc32c
import numpy as np
from jaxtyping import Int

from transfer_jax.core.errors import DataError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8
_REBUILD = "the file is damaged; prepare the data set again"


def masked_crc(data: bytes) -> int:
    """Returns the masked CRC32C of `data`, as an unsigned 32-bit integer."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def write_record(file: BinaryIO, payload: bytes) -> None:
    """Appends one record to an open file."""
    length = struct.pack("<Q", len(payload))
    file.write(
        length + _FOOTER.pack(masked_crc(length)) + payload + _FOOTER.pack(masked_crc(payload))
    )


def write_file(path: str | Path, payloads: Iterable[bytes]) -> None:
    """Writes a whole TFRecord file."""
    with open(path, "wb") as file:
        for payload in payloads:
            write_record(file, payload)


class Index(NamedTuple):
    """Places of the records in a file, found without reading their payloads.

    Attributes:
      entries: Offset and length in bytes of every payload, int64.
      size: Size of the file in bytes.
      digest: SHA-256 of the lengths and checksums of all records, in their order. Files of one
        digest hold the same payloads, as far as CRC32C tells.
    """

    entries: Int[np.ndarray, "n 2"]
    size: int
    digest: str


def index(path: str | Path) -> Index:
    """Finds the records of a file by their headers and footers.

    Raises:
      DataError: The file is missing, ends in the middle of a record, or a header's checksum is
        wrong.
    """
    entries: list[tuple[int, int]] = []
    frames = hashlib.sha256()
    try:
        size = os.path.getsize(path)
        with open(path, "rb", buffering=0) as file:
            position, header = 0, file.read(_HEADER.size)
            while position < size:
                record = f"record {len(entries)} (byte {position}"
                if len(header) < _HEADER.size:
                    raise DataError(f"{path}: cut off in the header of {record}); {_REBUILD}")
                length, crc = _HEADER.unpack(header)
                if crc != masked_crc(header[:8]):
                    raise DataError(
                        f"{path}: wrong checksum in the header of {record}); {_REBUILD}"
                    )
                end = position + _HEADER.size + length + _FOOTER.size
                if end > size:
                    raise DataError(f"{path}: cut off inside {record} of {size}); {_REBUILD}")
                file.seek(end - _FOOTER.size)
                between = file.read(_FOOTER.size + _HEADER.size)  # one read for both
                frames.update(header + between[: _FOOTER.size])
                entries.append((position + _HEADER.size, length))
                position, header = end, between[_FOOTER.size :]
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing, though the manifest names it; prepare the data set again"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    return Index(np.asarray(entries, np.int64).reshape(-1, 2), size, frames.hexdigest())


class RecordSource:
    """Reads the payloads of several TFRecord files in any order, and verifies each checksum.

    Attributes:
      indexes: The index of every file.
    """

    def __init__(self, paths: Iterable[str | Path]) -> None:
        """Indexes the files.

        Raises:
          DataError: See `index`.
        """
        self._descriptors: dict[int, int] = {}
        self._paths = [str(path) for path in paths]
        self.indexes = [index(path) for path in self._paths]
        entries = [file_index.entries for file_index in self.indexes]
        self._file = np.repeat(np.arange(len(entries)), [len(places) for places in entries])
        self._entries = np.concatenate(entries) if entries else np.zeros((0, 2), np.int64)

    def __len__(self) -> int:
        """Returns the number of records in all files."""
        return len(self._entries)

    def __getitem__(self, position: int) -> bytes:
        """Returns the payload of record `position`.

        Raises:
          DataError: The checksum of the record is wrong, or the file has shrunk.
        """
        number = int(self._file[position])
        offset, length = (int(v) for v in self._entries[position])
        data = os.pread(self._descriptor(number), length + _FOOTER.size, offset)
        payload = data[:length]
        if (
            len(data) != length + _FOOTER.size
            or masked_crc(payload) != _FOOTER.unpack(data[length:])[0]
        ):
            record = position - int(np.searchsorted(self._file, number))  # in its own file
            raise DataError(
                f"{self._paths[number]}: wrong checksum in record {record} (payload at byte"
                f" {offset}); {_REBUILD}"
            )
        return payload

    def _descriptor(self, number: int) -> int:
        # pread takes the offset with it, so that threads share a descriptor without a lock; of
        # several that open it at once, one is kept.
        if number not in self._descriptors:
            opened = os.open(self._paths[number], os.O_RDONLY)
            if self._descriptors.setdefault(number, opened) != opened:
                os.close(opened)
        return self._descriptors[number]

    def close(self) -> None:
        """Closes the files; reading again opens them anew."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def __del__(self) -> None:
        """Closes the files with the source."""
        self.close()

    def __getstate__(self) -> dict[str, object]:
        """Returns the state without the open files, for worker processes."""
        return {**self.__dict__, "_descriptors": {}}
