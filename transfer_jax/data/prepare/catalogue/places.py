"""Finds the images that a table names: at that very path, or unambiguously under a similar
spelling.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare.catalogue import raw_folders, sheets, spellings

# In this order: a file that differs in less is preferred to one that differs in more.
_KINDS = ("Unicode form", "case", "spelling", "ending", "folder")


class Found(NamedTuple):
    """Files of the images that were named.

    Attributes:
      paths: File of every name, None where there is none.
      notes: How many files have another name than the table's, and how many images no name leads
        to.
    """

    paths: list[Path | None]
    notes: list[str]


class _Near(NamedTuple):
    file: PurePosixPath
    kind: str


def find(
    folder: Path,
    names: Sequence[tuple[str, str]],
    homes: Sequence[str] = (),
    *,
    unused: bool = True,
) -> Found:
    """Finds the files of named images.

    A name leads to the file at that path, or in one of `homes`. Where there is none, it leads to
    the only file whose name differs in Unicode's normal form, in case, in spaces, in its ending
    (or by having one), or that lies elsewhere: below the named folder, or anywhere if the named
    folder has no images. A file that another name leads to exactly is not taken for a second one,
    unless the two differ in Unicode form or case alone.

    Args:
      folder: The raw folder.
      names: Name of an image as a path with slashes, and where it is written, for messages.
      homes: Folders in which the publisher puts the images, as patterns with *.
      unused: Whether images that no name leads to are noted.

    Returns:
      The files and notes.

    Raises:
      DataError: A name leaves the folder, several files are equally near to it, or two names in
        different folders lead to the same file.
    """
    index = _Index(folder, homes)
    exact = [index.exact(name, where) for name, where in names]
    claimed = {path for path in exact if path is not None}
    paths: list[Path | None] = []
    renamed = _Renamed()
    for (name, where), path in zip(names, exact, strict=True):
        near = None if path is not None else index.near(name, where, claimed)
        if near is not None:
            renamed.add(name, where, near)
            path = folder / near.file
        paths.append(path)
    notes = renamed.notes()
    if unused:
        left = raw_folders.LeftOut(folder)
        for path in index.images.keys() - {path for path in paths if path is not None}:
            left.add("images that the table does not name", path)
        notes += left.notes()
    return Found(paths, notes)


class _Renamed:
    """Counts the files that have another name than the table's, by the kind of difference."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._moved: dict[PurePosixPath, str] = {}

    def add(self, name: str, where: str, near: _Near) -> None:
        """Counts a file; raises DataError if a name in another folder has led to it before."""
        if near.kind == "folder":
            earlier = self._moved.setdefault(near.file, name)
            if spellings.fold(earlier) != spellings.fold(name):
                raise DataError(
                    f"{where}: images {earlier} and {name} are not there, and {near.file} may be"
                    " either: name it in full"
                )
        self._counts[near.kind] += 1
        example = name if near.kind == _KINDS[0] else f"{near.file} for {name}"
        self._examples.setdefault(near.kind, example)

    def notes(self) -> list[str]:
        if not self._counts:
            return []
        kinds = ", ".join(
            f"{self._counts[kind]} by {kind} ({self._examples[kind]})"
            for kind in _KINDS
            if self._counts[kind]
        )
        return [f"images whose files are named otherwise than in the table: {kinds}"]


class _Index:
    """The images below a folder."""

    def __init__(self, folder: Path, homes: Sequence[str]) -> None:
        self._folder = folder
        self.images = {
            path: PurePosixPath(path.relative_to(folder).as_posix())
            for path in raw_folders.images_below(folder)
        }
        self._homes = [
            home for pattern in homes for home in sorted(folder.glob(pattern)) if home.is_dir()
        ]
        parents = {path.parent for path in self.images.values()}
        self._folders = {
            _folded(above) for parent in parents for above in (parent, *parent.parents)
        }
        self._nested = {_folded(above) for parent in parents for above in parent.parents}

    def exact(self, name: str, where: str) -> Path | None:
        """Returns the file at the very path, or in one of the homes."""
        path = sheets.inside(self._folder, name, where)
        if path in self.images or path.is_file():
            return path
        places = [home / name for home in self._homes if home / name in self.images]
        if len(places) > 1:
            raise DataError(
                f"{where}: image {name} is there twice, as {self.images[places[0]]} and as"
                f" {self.images[places[1]]}: remove one"
            )
        return places[0] if places else None

    def near(self, name: str, where: str, claimed: set[Path]) -> _Near | None:
        """Returns the only file that is as near to the name as any."""
        named = PurePosixPath(
            sheets.inside(self._folder, name, where).relative_to(self._folder).as_posix()
        )
        ranked: dict[int, list[_Near]] = defaultdict(list)
        for near in self._beside(named) or self._elsewhere(named):
            if self._folder / near.file not in claimed or near.kind in _KINDS[:2]:
                ranked[_KINDS.index(near.kind)].append(near)
        if not ranked:
            return None
        best = ranked[min(ranked)]
        same = [near for near in best if near.file.name == named.name]
        if len(same) == 1:
            best = same
        if len(best) > 1:
            shown = " and ".join(sorted(str(near.file) for near in best)[:3])
            raise DataError(
                f"{where}: image {name} is not there, and {shown} are as near to that name: name"
                " one of them in full"
            )
        return best[0]

    def _beside(self, named: PurePosixPath) -> list[_Near]:
        """Returns files in the named folder, or in the homes for a bare name, that have
        the stem.
        """
        stem, parent = _stem(named.name), _folded(named.parent)
        beside = [_Near(file, _kind(named, file)) for file in self._by_path.get((parent, stem), [])]
        if parent == "":
            for home in self._homes:
                folder = _folded(PurePosixPath(home.relative_to(self._folder).as_posix()))
                inside = self._by_path.get((folder, stem), [])
                beside += [_Near(file, _kind(named, PurePosixPath(file.name))) for file in inside]
        return beside

    def _elsewhere(self, named: PurePosixPath) -> list[_Near]:
        """Returns files with the stem in other folders that may be meant.

        The path of the one ends with that of the other, the file lies below the named folder, or
        the name has a single folder, which has no images.
        """
        stem, parent = _stem(named.name), _folded(named.parent)
        above = [
            _folded(PurePosixPath(*named.parent.parts[i:]))
            for i in range(1, len(named.parent.parts) + 1)
        ]
        ends_alike = [file for each in above for file in self._by_path.get((each, stem), [])]
        elsewhere = dict.fromkeys([*self._by_tail.get((parent, stem), []), *ends_alike])
        if parent in self._nested or (len(named.parts) == 2 and parent not in self._folders):
            prefix = f"{parent}/" if parent in self._folders and parent else ""
            anywhere = self._by_tail.get(("", stem), [])
            elsewhere |= dict.fromkeys(
                file for file in anywhere if f"{_folded(file.parent)}/".startswith(prefix)
            )
        return [_Near(file, "folder") for file in elsewhere]

    @functools.cached_property
    def _by_path(self) -> dict[tuple[str, str], list[PurePosixPath]]:
        """Returns (folder, stem) -> files."""
        places: dict[tuple[str, str], list[PurePosixPath]] = defaultdict(list)
        for path in self.images.values():
            places[_folded(path.parent), _stem(path.name)].append(path)
        return places

    @functools.cached_property
    def _by_tail(self) -> dict[tuple[str, str], list[PurePosixPath]]:
        """Returns (ending of the folder's path, stem) -> files; every file has the ending ""."""
        places: dict[tuple[str, str], list[PurePosixPath]] = defaultdict(list)
        for path in self.images.values():
            parts = path.parent.parts
            for i in range(len(parts) + 1):
                places[_folded(PurePosixPath(*parts[i:])), _stem(path.name)].append(path)
        return places


def _folded(folder: PurePosixPath) -> str:
    return "" if folder == PurePosixPath(".") else spellings.fold(str(folder))


def _kind(named: PurePosixPath, file: PurePosixPath) -> str:
    """Returns how two paths differ, of which the second has the first one's stem."""
    mine, other = (unicodedata.normalize("NFC", str(path)) for path in (named, file))
    if mine == other:
        return _KINDS[0]
    if mine.casefold() == other.casefold():
        return _KINDS[1]
    return _KINDS[2] if named.suffix.casefold() == file.suffix.casefold() else _KINDS[3]


def _stem(name: str) -> str:
    """Returns a file's name without an image's ending, in the form in which names are compared."""
    path = PurePosixPath(name)
    stem = path.stem if path.suffix.lower() in raw_folders.ENDINGS else name
    return spellings.fold(spellings.name(stem))
