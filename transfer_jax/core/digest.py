"""Digests of what the program writes, so that it notices when it reads back something else.

They protect against damage and mix-ups, not against malice. Tensors and pixels get an XXH3 each,
which runs at memory speed: CRC32C has half of that speed and SHA-256 a tenth, and a check has to
cost less than 2 % of the reading that it guards. Tables of these checksums, and all other JSON,
get a SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xxhash

KEY = "digest"


def checksum(array: np.ndarray) -> int:
    """Returns the XXH3 of an array's bytes in C order, 64 bits."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return xxhash.xxh3_64_intdigest(flat.view(np.uint8).data)  # without a copy


def of_tensors(tree: Any) -> dict[str, str]:
    """Returns a table of path -> type, shape and checksum, such as "float32 [3] 2d06800538d394c2".

    Args:
      tree: A pytree of arrays; typed random keys count by their data.
    """
    table = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        array = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        kind = str(leaf.dtype) if is_key else array.dtype.name
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        table[name] = f"{kind} {list(array.shape)} {checksum(array):016x}"
    return table


def differences(expected: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    """Returns one line for every tensor in which two tables of `of_tensors` differ."""
    lines = []
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            lines.append(f"{name} is missing")
        elif name not in expected:
            lines.append(f"{name} does not belong there")
        elif expected[name] != actual[name]:
            lines.append(f"{name} is {actual[name]}, not {expected[name]}")
    return lines


def of_json(value: Any) -> str:
    """Returns the SHA-256 of a value in canonical JSON, whatever the order of its keys."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def of_file(path: str | Path) -> str:
    """Returns the SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields as JSON would give them back, with their own digest beside them."""
    plain = json.loads(json.dumps(dict(fields)))
    return {**plain, KEY: of_json(plain)}


def unseal(value: Any) -> dict[str, Any]:
    """Returns the fields that `seal` was given.

    Raises:
      ValueError: The value is not a JSON object, has no digest, or does not match its digest.
    """
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    fields = {name: entry for name, entry in value.items() if name != KEY}
    if KEY not in value:
        raise ValueError("it has no digest: an earlier version wrote it, or it is damaged")
    if value[KEY] != of_json(fields):
        raise ValueError("it does not match its own digest: it was changed or damaged")
    return fields


def read(path: Path) -> dict[str, Any]:
    """Returns the fields that `seal` was given, from a JSON file.

    Raises:
      OSError: The file cannot be read.
      ValueError: It is not JSON, or see `unseal`.
    """
    try:
        return unseal(json.loads(path.read_bytes()))
    except RecursionError as error:
        raise ValueError("it is nested too deeply to be read") from error
