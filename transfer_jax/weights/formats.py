"""Reads weight files to named arrays and back: nothing in a file is executed, and nothing is
allocated before its size is checked.

Files come from strangers. The reader of each format says what it refuses; every other error while
a file is parsed means that the file is damaged, and is reported so in one place.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer_jax.core import files
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import (
    keras_file,
    messages,
    safetensors_file,
    sharded,
    torch_file,
    unreadable,
)

_ZIP, _HDF5, _PICKLE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80"


class Raw(NamedTuple):
    """The content of a file.

    Attributes:
      tensors: Name -> array, in the file's order of axes and type (bfloat16 as ml_dtypes' type).
      metadata: Texts of a safetensors file; empty for other kinds.
      kind: "safetensors", "torch", "keras" or "sharded".
      notes: Choices that were made while reading, for the card.
    """

    tensors: dict[str, np.ndarray]
    metadata: dict[str, str]
    kind: str
    notes: tuple[str, ...] = ()


def read(path: str | Path, state: str | None = None) -> Raw:
    """Returns the tensors of a weight file, or of all files of an index.json.

    Args:
      path: The file.
      state: Name of the state dict to take, where a .pth file holds several.

    Raises:
      CheckpointError: There is no such file, it cannot be opened, it is damaged, of an unknown
        kind, or holds code; or `state` chooses nothing in it.
    """
    with messages.bounded():
        return _checked(Path(path), state)


def _checked(path: Path, state: str | None) -> Raw:
    kind = _kind(path, _start(path))
    if kind != "torch" and state is not None:
        raise CheckpointError(
            f"state={state!r} chooses among the state dicts of a .pth file, and {path} is none:"
            " leave it out"
        )
    try:
        raw = _read(path, kind, state)
    except CheckpointError:
        raise
    except Exception as error:
        # A damaged file makes zipfile, struct, pickle, JSON, NumPy and the C libraries behind them
        # fail in many ways, up to MemoryError and RecursionError; to the user all of them are one.
        lines = str(error).strip().splitlines() or [""]
        raise CheckpointError(
            f"{path} cannot be read: it is damaged, or no {kind} file ({type(error).__name__}:"
            f" {lines[0][:200]}); fetch it again"
        ) from error
    if not raw.tensors:
        raise CheckpointError(f"{path} holds no tensors: give a file of {unreadable.KINDS}")
    return raw


def _start(path: Path) -> bytes:
    """Returns the first bytes of a file.

    Raises:
      CheckpointError: There is no such file, it cannot be opened, or it is empty.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(unreadable.START)
    except OSError as error:
        if error.errno == errno.EISDIR:
            raise CheckpointError(f"{path} {unreadable.folder(path)}") from error
        if error.errno == errno.ENOENT:
            what = unreadable.missing(path) or f"does not exist: give a file of {unreadable.KINDS}"
        else:
            what = f"cannot be opened ({error.strerror}): give a file of {unreadable.KINDS}"
        raise CheckpointError(f"{path} {what}") from error
    if not start:
        raise CheckpointError(f"{path} is empty: fetch it again")
    return start


def _kind(path: Path, start: bytes) -> str:
    """Returns the kind of a file, by its whole structure or by its first bytes.

    Raises:
      CheckpointError: It is of no kind that is read here; the message names its kind if that is
        known.
    """
    if safetensors_file.is_sound(path):
        return "safetensors"  # whatever its first bytes are: they are a length
    if safetensors_file.begins_like_one(start):
        return "safetensors"  # whose reader says what is wrong with it
    if start.startswith(_HDF5):
        return "keras"
    if start.startswith((_ZIP, _PICKLE)):
        return "torch"
    if safetensors_file.may_be_one(path, start):
        return "safetensors"
    if sharded.is_index(path, start):
        return "sharded"
    what = unreadable.describe(path, start)
    if what is None:
        what = (
            f"is damaged, or none of the files that this program reads ({unreadable.KINDS}): it"
            f" begins with {start[:8].hex(' ')}"
        )
    raise CheckpointError(f"{path} {what}")


def _read(path: Path, kind: str, state: str | None) -> Raw:
    if kind == "torch":
        arrays, notes = torch_file.read(path, state)
        return Raw(arrays, {}, kind, notes)
    if kind == "sharded":
        arrays, notes = sharded.read(path, _read_shard)
        return Raw(arrays, {}, kind, notes)
    reader = {"keras": keras_file.read, "safetensors": safetensors_file.read}[kind]
    arrays, metadata = reader(path)
    return Raw(arrays, metadata, kind)


def _read_shard(path: Path) -> dict[str, np.ndarray]:
    if _kind(path, _start(path)) == "sharded":
        raise CheckpointError(
            f"{path} is an index itself, where an index says that tensors lie: fetch it again"
        )
    return read(path).tensors


def write_safetensors(
    path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Writes a .safetensors file atomically."""
    files.write(path, safetensors_file.to_bytes(tensors, metadata))


def write_keras(path: str | Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a .h5 file in Keras' older layout, which RadImageNet's files have and Keras 2 and 3
    read.

    Names are `layer/weight`.
    """
    buffer = io.BytesIO()
    keras_file.write(buffer, tensors)
    files.write(path, buffer.getvalue())
