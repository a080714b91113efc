"""Weight files to named arrays and back: nothing in a file is run, and nothing is allocated before its size is checked.

Files come from strangers. Each format's reader says what it refuses; whatever else goes wrong while a file is taken apart means
that the file is damaged, and is told so, in one place.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer_jax.core import files
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import keras_file, safetensors_file, torch_file

_KINDS = ".safetensors (torchvision, timm), .pth (torchvision, timm) and .h5 or .weights.h5 (Keras)"
_ZIP, _HDF5, _PICKLE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80"


class Raw(NamedTuple):
    """What a file holds.

    Attributes:
      tensors: name -> array, in the file's own order of axes and type (bfloat16 as ml_dtypes' type).
      metadata: texts that a safetensors file carries; empty for other kinds.
      kind: "safetensors", "torch" or "keras".
    """

    tensors: dict[str, np.ndarray]
    metadata: dict[str, str]
    kind: str


def read(path: str | Path) -> Raw:
    """The tensors of a weight file.

    Raises:
      CheckpointError: there is no such file, it cannot be opened, it is damaged, of an unknown kind, or holds code.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        what = {errno.ENOENT: "does not exist", errno.EISDIR: "is a folder without weights that this program knows"}
        raise CheckpointError(f"{path} {what.get(error.errno or 0, f'cannot be opened ({error.strerror})')}: give a file of {_KINDS}") from error
    if not start:
        raise CheckpointError(f"{path} is empty: fetch it again")
    kind, reader = _reader(start)
    try:
        tensors, metadata = reader(path)
    except CheckpointError:
        raise
    except Exception as error:
        # A damaged file makes zipfile, struct, pickle, JSON, NumPy and the C libraries behind them fail in many ways, up to
        # MemoryError and RecursionError; to the user all of them are one.
        lines = str(error).strip().splitlines() or [""]
        raise CheckpointError(f"{path} cannot be read: it is damaged, or no {kind} file ({type(error).__name__}: {lines[0][:200]})") from error
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors: give a file of {_KINDS}")
    return Raw(tensors, metadata, kind)


def _reader(start: bytes) -> tuple[str, Callable[[Path], tuple[dict[str, np.ndarray], dict[str, str]]]]:
    if start.startswith(_HDF5):
        return "keras", keras_file.read
    if start.startswith((_ZIP, _PICKLE)):
        return "torch", torch_file.read
    return "safetensors", safetensors_file.read


def write_safetensors(path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Writes a .safetensors file, whole or not at all."""
    files.write(path, safetensors_file.to_bytes(tensors, metadata))


def write_keras(path: str | Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a .h5 file in Keras' older layout, which RadImageNet's files have and Keras 2 and 3 read; names are `layer/weight`."""
    buffer = io.BytesIO()
    keras_file.write(buffer, tensors)
    files.write(path, buffer.getvalue())
