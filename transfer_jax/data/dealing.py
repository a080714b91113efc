"""Which split every listed image goes to: the publisher's where there is one, else dealt by patient."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.names import nearest
from transfer_jax.data import balancing, splits
from transfer_jax.data.items import MISSING, SPLITS, TRAIN_VAL, Item, Listing

BY = ("patient", "image")
_SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
_VALIDATION = {"train": 0.9, "val": 0.1}


class Dealt(NamedTuple):
    """A listing's images with their splits.

    Attributes:
      items: The images, each with a split.
      how: A sentence that says how they came to it.
      notes: What could not be had, a sentence each.
    """

    items: list[Item]
    how: str
    notes: list[str]


def shares(text: str) -> dict[str, float]:
    """Returns shares written as "train:0.8,val:0.05,test:0.15" as a mapping.

    Raises:
      ConfigError: it is not written so, or names something that is no split.
    """
    parsed = {}
    for part in text.split(","):
        split, _, share = part.partition(":")
        try:
            parsed[split] = float(share)
        except ValueError:
            raise ConfigError(f"shares {text!r} must look like train:0.8,val:0.1,test:0.1") from None
        if split not in SPLITS:
            raise ConfigError(f"shares {text!r}: {split!r} is no split, {nearest(split, SPLITS)}")
    return parsed


def assign(listing: Listing, *, wanted: Mapping[str, float] | None = None, by: str = "patient", stratify: str | None = None, seed: int = 0) -> Dealt:
    """Gives every image a split.

    Args:
      listing: The images, as a reader lists them.
      wanted: Shares of the splits; the publisher's split is then not used.
      by: "patient", or "image" where a patient may land in several splits.
      stratify: A label whose values are to be as frequent in every split; "" to shuffle without regard to
        labels; None to try to put every value of every label into every split.
      seed: Seed of the shuffle.

    Raises:
      ConfigError: no such label.
      DataError: shares that do not add up to one, or too few patients.
    """
    items = listing.items
    if stratify and items and stratify not in items[0].labels:
        raise ConfigError(f"cannot stratify by {stratify!r}: {nearest(stratify, items[0].labels)}")
    official = {item.split for item in items}
    if wanted is not None or official == {None}:
        fractions = dict(wanted or _SHARES)
        return _deal(listing, range(len(items)), fractions, by, stratify, seed, "dealt")
    if None in official:
        raise DataError("some images have a split of the publisher and some have none: deal all of them with --deal=train:0.8,val:0.1,test:0.1")
    dealt = [i for i, item in enumerate(items) if item.split == TRAIN_VAL or ("val" not in official and item.split == "train")]
    if not dealt:
        return Dealt(items, "the publisher's", [])
    if "val" in official:
        raise DataError(f"images are in {TRAIN_VAL!r} and in 'val': a validation split is either the publisher's or dealt")
    return _deal(listing, dealt, _VALIDATION, by, stratify, seed, "the publisher's; its training images dealt")


def _deal(listing: Listing, own: Sequence[int], fractions: Mapping[str, float], by: str, stratify: str | None, seed: int, what: str) -> Dealt:
    """Deals the images with the numbers `own`."""
    items = listing.items
    patients = np.array([items[i].patient for i in own]) if by == "patient" else None
    labels = {label: np.array([items[i].labels.get(label, MISSING) for i in own], int) for label in (items[0].labels if items else ())}
    kinds = balancing.classes(labels) if stratify is None else {}
    notes = []
    if kinds:
        parts = balancing.deal(len(own), fractions, seed, patients=patients, members=list(kinds.values()))
        balanced = list(dict.fromkeys(label for label, _ in kinds))
        method = f", every value of {', '.join(balanced)} in every split where possible (iterative stratification)"
        notes = _absent(listing, kinds, parts, list(fractions), patients)
    else:
        parts = splits.deal(len(own), fractions, seed, patients=patients, strata=labels[stratify] if stratify else None)
        method = f", stratified by {stratify}" if stratify else ""
    homes = dict(zip(own, parts.tolist(), strict=True))
    dealt = [dataclasses.replace(item, split=homes.get(i, item.split)) for i, item in enumerate(items)]
    shown = ", ".join(f"{split} {share:.3g}" for split, share in fractions.items())
    return Dealt(dealt, f"{what} {shown} by {by}{method}, seed {seed}", notes)


def _absent(
    listing: Listing, kinds: Mapping[tuple[str, int], np.ndarray], parts: np.ndarray, names: Sequence[str], patients: np.ndarray | None
) -> list[str]:
    """A note on the classes that are not in every split."""
    told = []
    for (label, value), member in kinds.items():
        without = [name for name in names if not (parts[member] == name).any()]
        if without:
            count = int(member.sum()) if patients is None else len(set(patients[member].tolist()))
            word = listing.names[label][value] if label in listing.names else str(value)
            who = "image" if patients is None else "patient"
            told.append(f"{label} {word} ({count} {who}{'' if count == 1 else 's'}) is not in {' and '.join(without)}")
    if not told:
        return []
    more = f"; and {len(told) - 10} more" if len(told) > 10 else ""
    return [f"labels that are not in every split: {'; '.join(told[:10])}{more}"]
