"""safetensors files, through the safetensors library, which checks every offset."""

from __future__ import annotations

import json
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
_PARSED_HEADER = 4_000_000  # bytes of a header that is looked at here, to tell what is missing
_AGAIN = "fetch it again"


def is_sound(path: Path) -> bool:
    """Returns whether the whole file has the structure of a safetensors file.

    No first byte tells these files from others: they begin with the length of their header. The
    length must lie within the file, the header must be a JSON object, and its offsets must cover
    the rest of the file exactly.
    """
    if _header_problem(path) is not None:
        return False
    try:
        with safetensors.safe_open(path, "numpy"):
            return True
    except Exception:  # the library's own errors, and those of a file that it cannot map
        return False


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the tensors and the metadata of a file.

    Raises:
      CheckpointError: The file is cut off or damaged, or a tensor has a type that no network has.
    """
    problem = _header_problem(path) or _missing_content(path)
    if problem is not None:
        raise CheckpointError(f"{path} {problem}")
    with open(path, "rb") as file:
        content = file.read()
    tensors = {}
    for name, entry in safetensors.deserialize(content):
        if entry["dtype"] not in _TYPES:
            raise CheckpointError(
                f"{path} holds {name[:100]} of type {entry['dtype']}: this program reads"
                f" {', '.join(_TYPES)}"
            )
        flat = np.frombuffer(entry["data"], _TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    with safetensors.safe_open(path, "numpy") as opened:
        return tensors, dict(opened.metadata() or {})


def begins_like_one(start: bytes) -> bool:
    """Returns whether a file begins with the length of a header and the header's "{".

    The length must be possible for a header, so that neither a pickle nor a text begins like this.
    """
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _LARGEST_HEADER


def may_be_one(path: Path, start: bytes) -> bool:
    """Returns whether a file of no other kind may be a damaged safetensors file."""
    text = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start[:8])
    return start[8:9] == b"{" and not text and path.suffix == ".safetensors"


def to_bytes(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Returns the content of a file with these tensors and texts."""
    return safetensors.numpy.save(dict(tensors), dict(metadata))


def _header_problem(path: Path) -> str | None:
    """Returns what is wrong with the length and the first character of the header, or None."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    if len(start) < 9 or start[8:] != b"{":
        return "is damaged, or no safetensors file: no header follows its first eight bytes"
    if length > _LARGEST_HEADER:
        return f"is damaged: its header would be {length} bytes long"
    if length > size - 8:
        return (
            f"is cut off: its header alone would be {length} bytes long, and the file has {size}:"
            f" {_AGAIN}"
        )
    return None


def _missing_content(path: Path) -> str | None:
    """Returns how much of a file with a sound header is missing, None where that is not
    the fault.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _PARSED_HEADER:
            return None
        try:
            header = json.loads(file.read(length))
            ends = [
                entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"
            ]
            whole = 8 + length + max(ends, default=0)
        except Exception:  # what else is wrong with the header is the library's to tell
            return None
    if isinstance(whole, int) and whole > size:
        return f"is cut off: the file has {size} of {whole} bytes, or it is damaged: {_AGAIN}"
    return None
