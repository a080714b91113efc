"""Named arrays as NPZ files, written whole and read without executing anything."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays; the same arrays give the same bytes.

    Args:
      path: The file.
      arrays: Name -> array of numbers, booleans or text.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            # NumPy's own writer stores the time of day.
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy", _EPOCH), content.getvalue(), zipfile.ZIP_DEFLATED
            )
    files.write(path, buffer.getvalue())


def read(path: Path, required: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Reads the arrays of a file.

    Args:
      path: The file.
      required: Names that must be there.

    Raises:
      ConfigError: The file is missing or damaged.
    """
    try:
        # NumPy does not close the file itself where it is no archive.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        missing = [name for name in required if name not in arrays]
        if missing:
            raise ValueError(f"it holds no {missing[0]!r}")
        return arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zipfile.error) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}): restore it from a copy, or call the study's "
            "command again"
        ) from error
