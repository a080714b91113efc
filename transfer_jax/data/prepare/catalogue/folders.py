"""Any folder of images with a folder per class, with or without folders for the splits
above them.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Item, Listing, split_named, study_name
from transfer_jax.data.prepare.catalogue import classes, raw_folders, spellings
from transfer_jax.data.prepare.catalogue.set_card import Card

LABEL = "class"

CARD = Card(
    title="A folder of images for each class",
    layout=(
        "CLASS/*.jpg, or train/CLASS/*.jpg, val/CLASS/*.jpg, test/CLASS/*.jpg\n"
        f"endings: {', '.join(ending.removeprefix('.') for ending in raw_folders.ENDINGS)};"
        " images in folders within a CLASS belong to it"
    ),
    labels="class: the names of the folders, numbers in their order and before words",
    patient=(
        "from the file names by the option patient; without it every image counts as a patient of"
        " its own"
    ),
    split=(
        "the folders train, val and test (or training, valid, validation, testing) where there are"
        " such, otherwise dealt"
    ),
    licence="as the images' owner says",
    citation="as the images' owner says",
    address="your own",
    options={
        "patient": (
            r"regular expression for file names whose group is the patient, such as '^(\d+)_';"
            r" beside a group named patient, one named study is the examination, and others are"
            r" columns that can be kept (default: none)"
        )
    },
)


def read(folder: Path, *, patient: str = "") -> Listing:
    """Lists the images in the folders of the classes.

    Raises:
      DataError: There are no class folders, one has no images, it is unclear which folders are the
        classes, splits have other classes, or a file name has no patient.
    """
    pattern = _pattern(patient)
    left = raw_folders.LeftOut(folder)
    level, notes = _level(raw_folders.existing(folder))
    homes = _homes(level, left)
    images = {home: _images(home, left) for home in homes.values()}
    counts: Counter[str] = Counter()
    for by_class in images.values():
        counts.update({name: len(paths) for name, paths in by_class.items()})
    names, value_of, class_notes = classes.group(counts, "class folders")
    if all(map(spellings.is_number, names)) and [spellings.key(name) for name in names] != list(
        range(len(names))
    ):
        shown = ", ".join(f"{name!r} is class {i}" for i, name in enumerate(names[:3]))
        class_notes.append(
            f"class folders are counted from 0 on, whatever their numbers ({shown}): a threshold"
            " counts classes"
        )
    _check(images, value_of)
    items = []
    deeper = []
    for split, home in homes.items():
        for name, paths in sorted(images[home].items(), key=lambda entry: value_of[entry[0]]):
            for image in paths:
                key = image.relative_to(folder).as_posix()
                who, groups = _patient(pattern, image) if pattern else (key, {})
                study = study_name(who, groups["study"]) if groups.get("study") else None
                labels = {LABEL: value_of[name]}
                items.append(Item(key, who, labels, image, split, study, groups))
                if image.parent != home / name:
                    deeper.append(key)
    if deeper:
        notes.append(
            f"images in folders within class folders: {len(deeper)} ({deeper[0]}); the upper"
            " folder is their class"
        )
    if not pattern:
        notes.append("no patients are given: every image counts as a patient of its own")
    return Listing(items, {LABEL: names}, (*notes, *class_notes, *left.notes()))


def _level(folder: Path) -> tuple[Path, list[str]]:
    """Returns the folder that holds the classes or splits, and a note on how it was found.

    It is the given folder, or the first one below it, along folders that are alone in theirs, that
    holds several folders.
    """
    level, beside = folder, []
    while True:
        inside = _folders(level)
        if len(inside) != 1 or split_named(inside[0].name) or raw_folders.images(inside[0]):
            return folder, []
        beside += raw_folders.images(level)
        level = inside[0]
        if len(_folders(level)) > 1:
            break
    name = level.relative_to(folder).as_posix()
    notes = [
        f"the folder {name} is the only one, and the folders in it are taken as classes or splits"
    ]
    if beside:
        example = beside[0].relative_to(folder).as_posix()
        notes.append(f"images beside it are left out: {len(beside)} ({example})")
    return level, notes


def _homes(level: Path, left: raw_folders.LeftOut) -> dict[str | None, Path]:
    """Returns split -> folder of its class folders; the only key is None without splits."""
    homes: dict[str | None, Path] = {}
    others = []
    for path in _folders(level):
        split = split_named(path.name)
        if split is None:
            others.append(path)
        elif split in homes:
            raise DataError(
                f"{level} has {homes[split].name} and {path.name}, which are both the split"
                f" {split!r}: keep one of them"
            )
        else:
            homes[split] = path
    if not homes:
        return {None: level}
    filled = [path.name for path in others if raw_folders.images_below(path)]
    if filled:
        here = ", ".join(home.name for home in homes.values())
        raise DataError(
            f"{level} has {here} beside {', '.join(filled)}: either folders of splits, or folders"
            " of classes"
        )
    _leave_out(level, left)
    for path in others:
        raw_folders.images_below(path, left=left)
    order = ("train", "train_val", "val", "test")
    return {split: homes[split] for split in order if split in homes}


def _images(home: Path, left: raw_folders.LeftOut) -> dict[str, list[Path]]:
    """Returns class folder -> its images."""
    here = _folders(home)
    if not here:
        raise DataError(
            f"{home} has no folders: it needs one for each class, with its images in it"
        )
    _leave_out(home, left)
    images = {}
    for path in here:
        below = raw_folders.images_below(path, left=left)
        if not below:
            raise DataError(
                f"class folder {path} has no images"
                f" ({', '.join(raw_folders.ENDINGS)}){_instead(path)}: fill it or remove it"
            )
        splits = [inner.name for inner in _folders(path) if split_named(inner.name)]
        if splits:
            raise DataError(
                f"class folder {path} has the folder {splits[0]}, which is a split: splits lie"
                f" above classes, as in {splits[0]}/{path.name}"
            )
        images[path.name] = below
    inner = {tuple(folder.name for folder in _folders(home / name)) for name in images}
    direct = any(image.parent == home / name for name, below in images.items() for image in below)
    if not direct and len(images) > 1 and len(inner) == 1 and len(next(iter(inner))) > 1:
        raise DataError(
            f"{home} has {', '.join(images)} with the same folders {', '.join(next(iter(inner)))}"
            " in each, and either may be the classes: put all images of a class into one folder"
        )
    return images


def _instead(folder: Path) -> str:
    """Returns what a folder without images holds, in words for a message."""
    inside = raw_folders.LeftOut(folder)
    raw_folders.images_below(folder, left=inside)
    return "".join(note.replace("left out: ", ", but ") for note in inside.notes())


def _check(images: Mapping[Path, Mapping[str, list[Path]]], value_of: Mapping[str, int]) -> None:
    """Checks that all splits have the same classes."""
    first: dict[int, str] = {}
    for home, here in images.items():
        names = {value_of[name]: name for name in here}
        if first and names.keys() != first.keys():
            raise DataError(
                f"{home} has the classes {', '.join(here)}, other folders have"
                f" {', '.join(first.values())}: they must be the same"
            )
        first = first or names


def _leave_out(folder: Path, left: raw_folders.LeftOut) -> None:
    """Counts the files that lie directly in a folder that should hold folders alone."""
    for image in raw_folders.images(folder, left=left):
        left.add("images outside of class folders", image)


def _folders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not raw_folders.hidden(path)
    )


def _pattern(text: str) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise DataError(f"option patient={text!r} is no regular expression ({error})") from None
    if pattern.groups != 1 and "patient" not in pattern.groupindex:
        raise DataError(
            rf"option patient={text!r} needs one group in round brackets, or one named patient,"
            r" such as '^(\d+)_'"
        )
    return pattern


def _patient(pattern: re.Pattern[str], image: Path) -> tuple[str, dict[str, str]]:
    """Returns the patient in the name of an image, and what its other named groups hold."""
    match = pattern.search(image.name)
    who = (
        (match["patient" if "patient" in pattern.groupindex else 1] or "").strip() if match else ""
    )
    if not who:
        raise DataError(
            f"option patient={pattern.pattern!r} finds no patient in the name of {image}"
        )
    named = match.groupdict("") if match and "patient" in pattern.groupindex else {}
    others = {name: text.strip() for name, text in named.items() if name != "patient"}
    return spellings.name(who), others
