"""safetensors files, through the safetensors library, which checks every offset."""

import os
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from transfer_jax.core.errors import CheckpointError

_TYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_LARGEST_HEADER = 100_000_000  # the library's own limit


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a file.

    Raises:
      CheckpointError: the header is longer than the file, or a tensor is of a type that no network has.
    """
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
        if header > min(_LARGEST_HEADER, os.path.getsize(path) - 8):
            raise CheckpointError(f"{path} is damaged, or no safetensors file: its header would be {header} bytes long")
        file.seek(0)
        content = file.read()
    tensors = {}
    for name, entry in safetensors.deserialize(content):
        if entry["dtype"] not in _TYPES:
            raise CheckpointError(f"{path} holds {name} of type {entry['dtype']}: this program reads {', '.join(_TYPES)}")
        tensors[name] = np.frombuffer(entry["data"], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    with safetensors.safe_open(path, "numpy") as opened:
        return tensors, dict(opened.metadata() or {})


def to_bytes(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """A file's content."""
    return safetensors.numpy.save(dict(tensors), dict(metadata))
