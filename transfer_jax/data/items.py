"""What a catalogue's reader makes of a raw folder: a list of images, not yet decoded, with what is known of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

MISSING = -1
UNCERTAIN = -2
TRAIN_VAL = "train_val"
SPLITS = ("train", "val", "test")
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("train_val", "trainval"), TRAIN_VAL),
}

Image = Path | Callable[[], np.ndarray]


def split_named(word: str) -> str | None:
    """Returns the split that a word stands for ("Training", "valid"), or None for any other word."""
    return SPLIT_WORDS.get(word.strip().casefold())


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One image of a raw data set.

    Attributes:
      id: its name, unique in the data set; for files their path in the raw folder, with forward slashes.
      patient: whom it shows; its `id` where the data set does not tell.
      labels: label -> whole number from 0 on; `MISSING` where the raw data say nothing, `UNCERTAIN` where they say "perhaps".
      image: the file, or a function that gives the pixels: uint8 [h, w] or [h, w, c], 0-255, RGB.
      split: of the publisher: "train", "val", "test", `TRAIN_VAL` for images that are to be dealt to the first two, None without one.
    """

    id: str
    patient: str
    labels: Mapping[str, int]
    image: Image
    split: str | None = None


@dataclasses.dataclass(frozen=True)
class Listing:
    """The images of a raw data set, all with the same labels.

    Attributes:
      items: the images.
      names: label -> names of its values 0, 1, ..., for labels that were words.
      notes: what the reader decided that a user should know, a sentence each; printed, and kept in the manifest.
    """

    items: list[Item]
    names: Mapping[str, list[str]] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
