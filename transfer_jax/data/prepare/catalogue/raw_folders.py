"""Folders of raw data sets: the level that holds the data, its images, and what is left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Item

ENDINGS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".dcm", ".dicom",
)  # fmt: skip
_SYSTEMS = ("thumbs.db", "desktop.ini", "$recycle.bin", "@eadir")


class LeftOut:
    """What a listing leaves out: how many files for each reason, and one of them as an example."""

    def __init__(self, folder: Path) -> None:
        """Begins without files.

        Args:
          folder: Folder that examples are shown relative to.
        """
        self._folder = folder
        self._counts: Counter[str] = Counter()
        self._example: dict[str, str] = {}

    def add(self, reason: str, path: Path) -> None:
        """Counts one file.

        Args:
          reason: Why files like this are left out.
          path: The file.
        """
        self._counts[reason] += 1
        shown = (
            path.relative_to(self._folder).as_posix()
            if path.is_relative_to(self._folder)
            else str(path)
        )
        self._example[reason] = min(shown, self._example.get(reason, shown))

    def notes(self) -> list[str]:
        """Returns one line with every reason, or nothing where nothing was left out."""
        counts = sorted(self._counts.items(), key=lambda entry: (-entry[1], entry[0]))
        reasons = [f"{reason}: {count} ({self._example[reason]})" for reason, count in counts]
        return [f"left out: {'; '.join(reasons)}"] if reasons else []


def existing(folder: Path) -> Path:
    """Returns the folder.

    Raises:
      DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError(
            f"data folder {folder} does not exist: give the folder that the publisher's archive"
            " was unpacked to"
        )
    return folder


def root(folder: Path, name: str, mark: str) -> Path:
    """Returns the level of a raw folder that holds the data.

    It is the folder itself, or its subfolder `name` when the user gave the level above.

    Args:
      folder: The folder that the user gave.
      name: Name of the publisher's folder; * stands for anything.
      mark: A file or folder that the level holds.

    Raises:
      DataError: There is no such folder, several levels fit, or none does.
    """
    fits = [
        level for level in (existing(folder), *sorted(folder.glob(name))) if (level / mark).exists()
    ]
    if len(fits) > 1 and fits[0] != folder:
        raise DataError(
            f"{folder} has {' and '.join(level.name for level in fits)}: give one of them"
        )
    if not fits:
        raise DataError(
            f"{folder} has no {mark}, nor has a folder {name} in it: give the folder that the"
            " publisher's archive was unpacked to"
        )
    return fits[0]


def images(
    folder: Path,
    endings: Sequence[str] = ENDINGS,
    left: LeftOut | None = None,
    *,
    below: bool = False,
) -> list[Path]:
    """Returns the images in a folder, not below it, sorted by name.

    Args:
      folder: The folder; one that does not exist has no images.
      endings: Endings of images, in small letters.
      left: Other files in the folder are added to it.
      below: Whether files in subfolders are added to `left`, too.
    """
    if not folder.is_dir():
        return []
    kept = []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if left is not None and below and not hidden(path):
                for deeper in images_below(path, endings, left):
                    left.add("images in sub-folders", deeper)
        elif _is_image(path, endings, left):
            kept.append(path)
    return kept


def images_below(
    folder: Path, endings: Sequence[str] = ENDINGS, left: LeftOut | None = None
) -> list[Path]:
    """Returns the images in a folder and its subfolders, sorted by path.

    Other files are added to `left`. Links to folders are followed, each folder being entered once.
    """
    kept: list[Path] = []
    seen = set()
    for place, subfolders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not hidden(Path(name)))
        kept += [
            path for path in (Path(place, name) for name in names) if _is_image(path, endings, left)
        ]
    return sorted(kept)


def hidden(path: Path) -> bool:
    """Returns whether a file or folder is hidden, or one that an operating system leaves behind."""
    return path.name.startswith((".", "__MACOSX")) or path.name.lower() in _SYSTEMS


def _is_image(path: Path, endings: Sequence[str], left: LeftOut | None) -> bool:
    if hidden(path):
        reason = "hidden or system files"
    elif path.suffix.lower() not in endings:
        reason = f"files ending in {path.suffix.lower()}" if path.suffix else "files without ending"
    elif not path.is_file():
        reason = "links that lead nowhere"
    else:
        return True
    if left is not None:
        left.add(reason, path)
    return False


def check(items: Sequence[Item], what: str, folder: Path | None = None) -> None:
    """Checks that a listing is usable; the writer counts single missing files.

    Args:
      items: The listed images.
      what: The table or folder that was read, for the message.
      folder: The raw folder, in which images with other names may lie.

    Raises:
      DataError: There are no images, or none of their files exists.
    """
    if not items:
        raise DataError(
            f"{what} gives no images: compare the folder with the layout that the data set's card"
            " shows"
        )
    paths = [item.image for item in items if isinstance(item.image, Path)]
    if len(paths) < len(items) or any(path.is_file() for path in paths):
        return
    near = images_below(folder) if folder is not None else []
    if near and folder is not None:
        shown = near[0].relative_to(folder).as_posix()
        advice = (
            f"the folder holds {len(near)} images under other names, {shown} for one: names are"
            f" paths in {folder}"
        )
    else:
        advice = "unpack the images there"
    raise DataError(
        f"{what} names {len(paths)} images and none is there, {paths[0]} for one: {advice}"
    )
