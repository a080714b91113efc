"""Raw data sets in archives: unpacked beside the data set that is made of them, nowhere else."""

from __future__ import annotations

import contextlib
import dataclasses
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from transfer_jax.core import files
from transfer_jax.core.errors import DataError, UserError
from transfer_jax.data.items import split_named
from transfer_jax.data.prepare.catalogue.raw_folders import hidden

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_DAMAGES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


@dataclasses.dataclass(frozen=True)
class Raw:
    """A raw data set on the disk.

    Attributes:
      folder: Folder that holds its files.
      archive: Archive that they came from, if any.
      unpacked: Temporary folder that the archive was unpacked to; `folder` lies in it, or is it.
    """

    folder: Path
    archive: Path | None = None
    unpacked: Path | None = None

    def named(self, text: str) -> str:
        """Returns a text with "archive.zip:folder/file" for paths in the temporary folder."""
        if self.archive is None:
            return text
        return text.replace(f"{self.unpacked}/", f"{self.archive}:").replace(
            str(self.unpacked), str(self.archive)
        )


@contextlib.contextmanager
def unpacked(raw: Path, near: Path) -> Iterator[Raw]:
    """Yields a raw folder; that of an archive is temporary, and removed at the end.

    Where an archive holds a single folder, that folder is yielded, unless its name is that of a
    split. User errors that are raised inside name the archive instead of the temporary folder.

    Args:
      raw: A folder, or an archive with one of `SUFFIXES`.
      near: The temporary folder is created beside this path.

    Raises:
      DataError: `raw` is neither, is damaged, holds paths that lead out of it, links or nothing
        but other archives, or needs more room than there is.
    """
    if raw.is_dir():
        yield Raw(raw)
        return
    if not raw.exists():
        raise DataError(
            f"data folder {raw} does not exist: give the folder that holds the images, or an"
            " archive of it"
        )
    if not raw.name.lower().endswith(SUFFIXES):
        raise DataError(f"{raw} is neither a folder nor an archive ({', '.join(SUFFIXES)})")
    near.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{near.name}.raw.", dir=near.parent) as folder:
        whole = Raw(Path(folder), raw, Path(folder))
        try:
            try:
                _unpack(raw, whole.folder)
            except _DAMAGES as error:
                raise DataError(f"{raw} cannot be unpacked ({error})") from error
            yield dataclasses.replace(whole, folder=_entered(whole))
        except UserError as error:
            raise type(error)(whole.named(str(error))) from error


def _entered(raw: Raw) -> Path:
    """Returns the folder in an unpacked archive that holds the data: the archive's only folder, the
    only one within that, and so on.
    """
    folder = raw.folder
    while True:
        content = [path for path in folder.iterdir() if not hidden(path)]
        if not content:
            raise DataError(f"{folder} holds no files")
        if all(path.name.lower().endswith(SUFFIXES) for path in content):
            raise DataError(
                f"{folder} holds nothing but other archives, {min(content).name} for one: unpack"
                " it, and give what it holds"
            )
        if len(content) > 1 or not content[0].is_dir() or split_named(content[0].name):
            return folder
        folder = content[0]


def _unpack(raw: Path, folder: Path) -> None:
    if raw.name.lower().endswith(".zip"):
        with zipfile.ZipFile(raw) as archive:
            _check(
                raw,
                [entry.filename for entry in archive.infolist()],
                sum(entry.file_size for entry in archive.infolist()),
                folder,
            )
            archive.extractall(folder)
        return
    with tarfile.open(raw) as tar:
        members = tar.getmembers()
        for member in members:
            if not (member.isfile() or member.isdir()):
                raise DataError(
                    f"{raw} holds {member.name!r}, which is neither a file nor a folder: it is"
                    " refused"
                )
        _check(
            raw,
            [member.name for member in members],
            sum(member.size for member in members),
            folder,
        )
        tar.extractall(folder, filter="data")


def _check(raw: Path, names: list[str], size: int, folder: Path) -> None:
    for name in names:
        if files.below(folder, name) is None:
            raise DataError(f"{raw} holds the path {name!r}, which leads out of it: it is refused")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{raw} needs {size / 1e9:.1f} GB unpacked, {folder.parent} has {free / 1e9:.1f} GB:"
            " make room, or choose another --out"
        )
