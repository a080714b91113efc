"""Which split every listed image goes to: the publisher's where there is one, else dealt by patient."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.names import nearest
from transfer_jax.data import splits
from transfer_jax.data.items import MISSING, SPLITS, TRAIN_VAL, Item, Listing

BY = ("patient", "image")
_SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
_VALIDATION = {"train": 0.9, "val": 0.1}


def shares(text: str) -> dict[str, float]:
    """Shares written as "train:0.8,val:0.05,test:0.15", as a mapping.

    Raises:
      ConfigError: it is not written so, or names something that is no split.
    """
    found = {}
    for part in text.split(","):
        split, _, share = part.partition(":")
        try:
            found[split] = float(share)
        except ValueError:
            raise ConfigError(f"shares {text!r} must look like train:0.8,val:0.1,test:0.1") from None
        if split not in SPLITS:
            raise ConfigError(f"shares {text!r}: {split!r} is no split, {nearest(split, SPLITS)}")
    return found


def assign(
    listing: Listing, *, wanted: Mapping[str, float] | None = None, by: str = "patient", stratify: str | None = None, seed: int = 0
) -> tuple[list[Item], str]:
    """The images, each with a split, and a sentence that says how it came to it.

    Args:
      listing: of a reader.
      wanted: shares of the splits; the publisher's split is then not used.
      by: "patient", or "image" where a patient may land in several splits.
      stratify: a label whose values are to be as frequent in every split.
      seed: of the shuffle.

    Raises:
      ConfigError: no such label.
      DataError: shares that do not add up to one, or too few patients.
    """
    items = listing.items
    if stratify is not None and items and stratify not in items[0].labels:
        raise ConfigError(f"cannot stratify by {stratify!r}: {nearest(stratify, items[0].labels)}")
    how = f"by {by}" + (f", stratified by {stratify}" if stratify else "") + f", seed {seed}"
    official = {item.split for item in items}
    if wanted is not None or official == {None}:
        chosen = dict(wanted or _SHARES)
        return _dealt(items, range(len(items)), chosen, by, stratify, seed), f"dealt {_shown(chosen)} {how}"
    if None in official:
        raise DataError("some images have a split of the publisher and some have none: deal all of them with --deal=train:0.8,val:0.1,test:0.1")
    dealt = [i for i, item in enumerate(items) if item.split == TRAIN_VAL or ("val" not in official and item.split == "train")]
    if not dealt:
        return items, "the publisher's"
    if "val" in official:
        raise DataError(f"images are in {TRAIN_VAL!r} and in 'val': a validation split is either the publisher's or dealt")
    return _dealt(items, dealt, _VALIDATION, by, stratify, seed), f"the publisher's; its training images dealt {_shown(_VALIDATION)} {how}"


def _dealt(items: list[Item], own: range | list[int], wanted: Mapping[str, float], by: str, stratify: str | None, seed: int) -> list[Item]:
    patients = np.array([items[i].patient for i in own]) if by == "patient" else None
    strata = np.array([items[i].labels.get(stratify, MISSING) for i in own]) if stratify else None
    parts = splits.deal(len(own), wanted, seed, patients=patients, strata=strata)
    homes = dict(zip(own, parts.tolist(), strict=True))
    return [dataclasses.replace(item, split=homes.get(i, item.split)) for i, item in enumerate(items)]


def _shown(wanted: Mapping[str, float]) -> str:
    return ", ".join(f"{split} {share:.3g}" for split, share in wanted.items())
