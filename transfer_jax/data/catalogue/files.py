"""Folders of raw data sets: the level that holds the data, the images in a folder, options with few values."""

from collections.abc import Sequence
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.core.names import nearest
from transfer_jax.data.items import Item

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm")


def existing(folder: Path) -> Path:
    """The folder.

    Raises:
      DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"data folder {folder} does not exist: give the folder that the publisher's archive was unpacked to")
    return folder


def root(folder: Path, name: str, mark: str) -> Path:
    """The level of a raw folder that holds the data: the folder itself, or its subfolder `name` when the user gave the level above.

    Args:
      folder: as given.
      name: of the publisher's folder; * stands for anything.
      mark: a file or folder that the wanted level holds.

    Raises:
      DataError: there is no such folder, several levels fit, or none does.
    """
    fits = [level for level in (existing(folder), *sorted(folder.glob(name))) if (level / mark).exists()]
    if len(fits) > 1 and fits[0] != folder:
        raise DataError(f"{folder} has {' and '.join(level.name for level in fits)}: give one of them")
    if not fits:
        raise DataError(f"{folder} has no {mark}, nor has a folder {name} in it: give the folder that the publisher's archive was unpacked to")
    return fits[0]


def images(folder: Path, endings: Sequence[str] = ENDINGS) -> list[Path]:
    """The images in a folder (not below it), sorted by name; hidden files do not count."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in endings and not path.name.startswith(".") and path.is_file())


def ending(folder: Path, endings: Sequence[str]) -> str:
    """The ending of a folder's images: the first of `endings` that one has; the very first when none has any."""
    return next((wanted for wanted in endings if any(folder.glob(f"*{wanted}"))), endings[0])


def choice(option: str, value: str, allowed: Sequence[str]) -> str:
    """The value of an option that has few.

    Raises:
      DataError: it has not this one.
    """
    if value not in allowed:
        raise DataError(f"option {option}={value!r} is unknown: {nearest(value, allowed)}")
    return value


def number(option: str, value: str, least: int) -> int:
    """The whole number in an option.

    Raises:
      DataError: it holds none, or one below `least`.
    """
    if not value.isdecimal() or int(value) < least:
        raise DataError(f"option {option}={value!r} must be a whole number from {least} on")
    return int(value)


def check(items: Sequence[Item], what: str) -> None:
    """Checks that a listing is worth going on with; single missing files are the writer's to count.

    Args:
      items: what was listed.
      what: the table or folder that was read, for the error.

    Raises:
      DataError: there are no images, or not one of their files is there.
    """
    if not items:
        raise DataError(f"{what} gives no images: compare the folder with the layout that the data set's card shows")
    paths = [item.image for item in items if isinstance(item.image, Path)]
    if len(paths) == len(items) and not any(path.is_file() for path in paths):
        raise DataError(f"{what} names {len(paths)} images and none is there, {paths[0]} for one: unpack the images there")
