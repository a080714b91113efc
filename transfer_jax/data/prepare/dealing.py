"""Gives every listed image a split: the publisher's if there is one, else dealt by patient."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.names import nearest
from transfer_jax.data import splits
from transfer_jax.data.items import MISSING, SPLITS, TRAIN_VAL, Item, Listing
from transfer_jax.data.prepare import stratifying

BY = ("patient", "image")
_SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
_VALIDATION = {"train": 0.9, "val": 0.1}


class Dealt(NamedTuple):
    """The images of a listing with their splits.

    Attributes:
      items: The images, each with a split.
      how: A sentence about how the splits were made.
      notes: What was impossible, a sentence each.
    """

    items: list[Item]
    how: str
    notes: list[str]


def shares(text: str) -> dict[str, float]:
    """Returns shares written as "train:0.8,val:0.05,test:0.15" as a mapping.

    Raises:
      ConfigError: The text has another form, or names an unknown split.
    """
    parsed = {}
    for part in text.split(","):
        split, _, share = part.partition(":")
        try:
            parsed[split] = float(share)
        except ValueError:
            raise ConfigError(
                f"shares {text!r} must look like train:0.8,val:0.1,test:0.1"
            ) from None
        if split not in SPLITS:
            raise ConfigError(f"shares {text!r}: {split!r} is no split, {nearest(split, SPLITS)}")
    return parsed


def only(items: Sequence[Item], how: str, wanted: Sequence[str]) -> tuple[list[Item], str]:
    """Returns the images of some splits, and how they were made.

    Args:
      items: The images, each with a split.
      how: How the splits were made.
      wanted: Names of the splits to keep.

    Raises:
      ConfigError: A name is no split, comes twice, or no image is in that split.
    """
    there = [split for split in SPLITS if any(item.split == split for item in items)]
    for split in wanted:
        if split not in SPLITS or wanted.count(split) > 1:
            raise ConfigError(
                f"--splits={','.join(wanted)} must name different splits of {', '.join(SPLITS)}"
            )
        if split not in there:
            raise ConfigError(
                f"--splits={','.join(wanted)}: no image is in the split {split!r}, the set has"
                f" {', '.join(there)}; --deal={split}:1 puts all images there"
            )
    kept = [item for item in items if item.split in wanted]
    if len(kept) == len(items):
        return list(items), how
    return kept, f"{how}; {', '.join(wanted)} alone, {len(items) - len(kept)} images left out"


def assign(
    listing: Listing,
    *,
    fractions: Mapping[str, float] | None = None,
    by: str = "patient",
    stratify: str | None = None,
    seed: int = 0,
) -> Dealt:
    """Gives every image a split.

    Args:
      listing: The images, as a reader lists them.
      fractions: Split -> share of the images, for which the publisher's split is ignored; None for
        the publisher's split, or for the usual shares where there is none.
      by: "patient", or "image" where a patient may land in several splits.
      stratify: A label whose values should be equally frequent in every split; "" to shuffle
        without regard to labels; None to try to put every value of every label into every split.
      seed: Seed of the shuffle.

    Raises:
      ConfigError: There is no such label.
      DataError: The shares do not add up to one, or there are too few patients.
    """
    items = listing.items
    if stratify and items and stratify not in items[0].labels:
        raise ConfigError(f"cannot stratify by {stratify!r}: {nearest(stratify, items[0].labels)}")
    official = {item.split for item in items}
    if fractions is not None or official == {None}:
        fractions = dict(fractions or _SHARES)
        return _deal(listing, range(len(items)), fractions, by, stratify, seed, "dealt")
    if None in official:
        raise DataError(
            "some images have a split of the publisher and some have none: deal all of them with"
            " --deal=train:0.8,val:0.1,test:0.1"
        )
    dealt = [
        i
        for i, item in enumerate(items)
        if item.split == TRAIN_VAL or ("val" not in official and item.split == "train")
    ]
    if not dealt:
        return Dealt(items, "the publisher's", [])
    if "val" in official:
        raise DataError(
            f"images are in {TRAIN_VAL!r} and in 'val': a validation split is either the"
            " publisher's or dealt"
        )
    what = "the publisher's; its training images dealt"
    return _deal(listing, dealt, _VALIDATION, by, stratify, seed, what)


def _deal(
    listing: Listing,
    numbers: Sequence[int],
    fractions: Mapping[str, float],
    by: str,
    stratify: str | None,
    seed: int,
    what: str,
) -> Dealt:
    """Deals the images at the places `numbers` of the listing; the others keep their splits."""
    items = listing.items
    patients = np.array([items[i].patient for i in numbers]) if by == "patient" else None
    labels = {
        label: np.array([items[i].labels.get(label, MISSING) for i in numbers], int)
        for label in (items[0].labels if items else ())
    }
    kinds = stratifying.classes(labels) if stratify is None else {}
    notes = []
    if kinds:
        parts = stratifying.deal(
            len(numbers), fractions, seed, patients=patients, members=list(kinds.values())
        )
        balanced = list(dict.fromkeys(label for label, _ in kinds))
        method = (
            f", every value of {', '.join(balanced)} in every split where possible (iterative"
            " stratification)"
        )
        notes = _absent(listing, kinds, parts, list(fractions), patients)
    else:
        parts = splits.deal(
            len(numbers),
            fractions,
            seed,
            patients=patients,
            strata=labels[stratify] if stratify else None,
        )
        method = f", stratified by {stratify}" if stratify else ""
    homes = dict(zip(numbers, parts.tolist(), strict=True))
    dealt = [
        dataclasses.replace(item, split=homes.get(i, item.split)) for i, item in enumerate(items)
    ]
    shown = ", ".join(f"{split} {share:.3g}" for split, share in fractions.items())
    return Dealt(dealt, f"{what} {shown} by {by}{method}, seed {seed}", notes)


def _absent(
    listing: Listing,
    kinds: Mapping[tuple[str, int], np.ndarray],
    parts: np.ndarray,
    names: Sequence[str],
    patients: np.ndarray | None,
) -> list[str]:
    """Returns a note on the classes that are missing from a split."""
    absences = []
    for (label, value), member in kinds.items():
        without = [name for name in names if not (parts[member] == name).any()]
        if without:
            count = int(member.sum()) if patients is None else len(set(patients[member].tolist()))
            word = listing.names[label][value] if label in listing.names else str(value)
            who = "image" if patients is None else "patient"
            absences.append(
                f"{label} {word} ({count} {who}{'' if count == 1 else 's'}) is not in"
                f" {' and '.join(without)}"
            )
    if not absences:
        return []
    more = f"; and {len(absences) - 10} more" if len(absences) > 10 else ""
    return [f"labels that are not in every split: {'; '.join(absences[:10])}{more}"]
