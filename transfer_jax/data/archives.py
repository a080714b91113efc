"""Raw data sets that come as an archive: unpacked beside the data set that is made of them, and nowhere else."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from transfer_jax.core import files
from transfer_jax.core.errors import DataError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@contextlib.contextmanager
def unpacked(raw: Path, near: Path) -> Iterator[Path]:
    """Yields `raw` itself where it is a folder; of an archive a folder with its files, which is removed at the end.

    Args:
      raw: a folder, or an archive with one of `SUFFIXES`.
      near: the folder is made beside this path.

    Raises:
      DataError: `raw` is neither, is damaged, holds paths that lead out of it or links, or needs more room than there is.
    """
    if raw.is_dir():
        yield raw
        return
    if not raw.exists():
        raise DataError(f"data folder {raw} does not exist: give the folder that holds the images, or an archive of it")
    if not raw.name.lower().endswith(SUFFIXES):
        raise DataError(f"{raw} is neither a folder nor an archive ({', '.join(SUFFIXES)})")
    near.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{near.name}.raw.", dir=near.parent) as folder:
        try:
            _unpack(raw, Path(folder))
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
            raise DataError(f"{raw} cannot be unpacked ({error})") from error
        yield Path(folder)


def _unpack(raw: Path, folder: Path) -> None:
    if raw.name.lower().endswith(".zip"):
        with zipfile.ZipFile(raw) as archive:
            _check(raw, [entry.filename for entry in archive.infolist()], sum(entry.file_size for entry in archive.infolist()), folder)
            archive.extractall(folder)
        return
    with tarfile.open(raw) as tar:
        members = tar.getmembers()
        for member in members:
            if not (member.isfile() or member.isdir()):
                raise DataError(f"{raw} holds {member.name!r}, which is neither a file nor a folder: it is refused")
        _check(raw, [member.name for member in members], sum(member.size for member in members), folder)
        tar.extractall(folder, filter="data")


def _check(raw: Path, names: list[str], size: int, folder: Path) -> None:
    for name in names:
        if files.below(folder, name) is None:
            raise DataError(f"{raw} holds the path {name!r}, which leads out of it: it is refused")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(f"{raw} needs {size / 1e9:.1f} GB unpacked, {folder.parent} has {free / 1e9:.1f} GB: make room, or choose another --out")
