"""Files and folders that are whole or missing, and paths that cannot leave their folder.

Content is written under a temporary name first and then renamed.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def write(path: str | Path, content: str | bytes) -> None:
    """Writes `content` to `path`; an existing file is replaced once all of it is on the disk."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary file name for `path`.

    The file becomes `path` when the block ends without an error, and is removed otherwise.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def directory(path: str | Path) -> Iterator[Path]:
    """Yields a temporary folder for `path`.

    The folder becomes `path` when the block ends without an error, and is removed otherwise.

    Raises:
      FileExistsError: `path` exists already; an existing folder is never replaced.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def below(folder: Path, relative: str) -> Path | None:
    """Returns the path `relative` below `folder`, or None where it is absolute or leads out of it.

    For paths that someone else wrote, in a table or an archive. Slashes may be of either kind; ""
    and "." are the folder itself.
    """
    path = PurePosixPath(relative.replace("\\", "/"))
    return None if path.is_absolute() or ".." in path.parts else folder / path
