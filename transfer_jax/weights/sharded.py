"""Models in several files: an index.json says which tensor lies in which of them.

Large models are saved this way (`model.safetensors.index.json`, `pytorch_model.bin.index.json`).
Either all files are read or none, and every tensor must lie where the index says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import messages

_LONGEST = 10_000_000  # bytes of an index
_SHARD = re.compile(r"[^/\\:\0]+\.(?:safetensors|bin|pth|pt)")
_Tensors = dict[str, np.ndarray]


def is_index(path: Path, start: bytes) -> bool:
    """Returns whether a file that begins with `start` is such an index, by its name or
    its content.
    """
    if not start.lstrip().startswith(b"{"):
        return False
    return (
        path.name.endswith(".index.json")
        or b'"weight_map"' in start
        or _weight_map(path) is not None
    )


def shards(path: Path) -> dict[str, str]:
    """Returns tensor -> file name, according to the index.

    Raises:
      CheckpointError: It is no such index, or one of its files does not lie beside it.
    """
    value = _weight_map(path)
    if not isinstance(value, dict) or not value:
        raise CheckpointError(
            f"{path} is a JSON file without a 'weight_map' from tensors to files, so no index of a"
            " model in several files: give the weight file itself, or fetch the index again"
        )
    for name, file in value.items():
        if not isinstance(file, str) or not _SHARD.fullmatch(file):
            raise CheckpointError(
                f"{path} says that {name[:100]} lies in {str(file)[:100]!r}: the files of a model"
                " must lie beside its index"
            )
    return value


def read(path: Path, read_shard: Callable[[Path], _Tensors]) -> tuple[_Tensors, tuple[str, ...]]:
    """Returns the tensors of all files of an index, and a note for the card.

    Args:
      path: The index.
      read_shard: Reads one file.

    Raises:
      CheckpointError: A file is missing or damaged, or holds other tensors than the index says.
    """
    places = shards(path)
    files = sorted(set(places.values()))
    missing = [file for file in files if not path.with_name(file).is_file()]
    if missing:
        raise CheckpointError(
            f"{path} is the index of a model in {len(files)} files, of which {len(missing)} are"
            f" not beside it ({messages.listed(missing)}): fetch them, too"
        )
    tensors: _Tensors = {}
    for file in files:
        tensors_of_shard = read_shard(path.with_name(file))
        listed = {name for name, there in places.items() if there == file}
        problems = {
            "missing": sorted(listed - tensors_of_shard.keys()),
            "not listed there": sorted(tensors_of_shard.keys() - listed),
        }
        if any(problems.values()):
            raise CheckpointError(
                f"{path.with_name(file)} does not hold the tensors that {path.name} says:"
                f" {messages.problems(problems)}: fetch both again"
            )
        tensors.update(tensors_of_shard)
    return tensors, (f"read from {len(files)} files of {path.name}",)


def _weight_map(path: Path) -> Any:
    """Returns the mapping of an index, or None where the file is no JSON object or has none."""
    if path.stat().st_size > _LONGEST:
        return None
    try:
        value = json.loads(path.read_bytes(), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return value.get("weight_map") if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses a tensor that an index lists twice: JSON would keep only the last place."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("the same name twice in one object")
    return value
