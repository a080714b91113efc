"""The images that a reader of the catalogue lists, with what the raw folder says of each.

Nothing is decoded yet.
"""

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
    """Returns the split that a word such as "Training" or "valid" stands for; None for others."""
    return SPLIT_WORDS.get(word.strip().casefold())


def study_name(patient: str, study: str) -> str:
    """Returns the name of an examination, which is unique in the data set: "patient/study".

    Args:
      patient: Name of the patient.
      study: Name of the examination among those of the patient.
    """
    return f"{patient}/{study}"


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One image of a raw data set.

    Attributes:
      id: Name, unique in the data set; for a file its path in the raw folder, with forward
        slashes.
      patient: Name of the patient; the `id` where the data set does not tell patients apart.
      labels: Label -> whole number from 0 on; `MISSING` where the raw data say nothing,
        `UNCERTAIN` where they say "perhaps".
      image: The file, or a function that returns the pixels: uint8 [h, w] or [h, w, c], 0-255,
        RGB.
      split: The publisher's split: "train", "val" or "test"; `TRAIN_VAL` for images that are to be
        dealt to the first two; None without a split.
      study: Name of the examination that the image is a view of, see `study_name`; None where the
        data set does not tell examinations apart.
      columns: Column -> what the raw tables say of the image beside its labels, as they spell it;
        "" where they say nothing.
    """

    id: str
    patient: str
    labels: Mapping[str, int]
    image: Image
    split: str | None = None
    study: str | None = None
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Listing:
    """The images of a raw data set, all with the same labels.

    Attributes:
      items: The images.
      names: Label -> names of its values 0, 1, ..., for labels that were words.
      notes: Decisions of the reader that a user should know, one sentence each; they are printed,
        and kept in the manifest.
      contradictions: Column -> how two rows of one image differ in it, a sentence; such a column
        cannot be kept.
    """

    items: list[Item]
    names: Mapping[str, list[str]] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    contradictions: Mapping[str, str] = dataclasses.field(default_factory=dict)
