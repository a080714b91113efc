"""Splits of a listing: the publisher's, dealt so that every label is everywhere, stratified, or
plain.
"""

import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import splits
from transfer_jax.data.items import MISSING, Item, Listing
from transfer_jax.data.prepare import dealing


def listing(count=200, split=None, names=None, **labels):
    """Images of which every patient has two."""

    def home(i):
        return split(i) if callable(split) else split

    values = {name: [int(value(i)) for i in range(count)] for name, value in labels.items()}
    items = [
        Item(
            f"{i}",
            f"p{i // 2}",
            {name: column[i] for name, column in values.items()},
            lambda: None,
            home(i),
        )
        for i in range(count)
    ]
    return Listing(items, names or {})


def parts(dealt, chosen=lambda item: True):
    return [item.split for item in dealt.items if chosen(item)]


def hernia(i):
    return i in (10, 50, 90)


def test_rare_labels_are_in_every_split_by_default_and_the_sentence_says_so():
    dealt = dealing.assign(listing(hernia=hernia, sex=lambda i: i % 2, age=lambda i: i % 90))
    assert sorted(parts(dealt, lambda item: item.labels["hernia"] == 1)) == [
        "test",
        "train",
        "val",
    ]
    assert (
        dealt.how
        == "dealt train 0.8, val 0.1, test 0.1 by patient, every value of hernia, sex in every"
        " split where possible (iterative stratification), seed 0"
    )
    assert dealt.notes == []
    assert [parts(dealt).count(split) for split in ("train", "val", "test")] == pytest.approx(
        [160, 20, 20], abs=2
    )
    assert not splits.overlap([item.patient for item in dealt.items], parts(dealt))


def test_rare_classes_of_one_label_too_and_what_cannot_be_is_named():
    grades = listing(
        grade=lambda i: {0: 4, 1: 4, 40: 3, 80: 3, 120: 3}.get(i, i % 2),
        names={"grade": ["none", "mild", "moderate", "severe", "worst"]},
    )
    dealt = dealing.assign(grades)
    assert sorted(parts(dealt, lambda item: item.labels["grade"] == 3)) == ["test", "train", "val"]
    assert dealt.notes == [
        "labels that are not in every split: grade worst (1 patient) is not in val and test"
    ]


def test_shares_of_the_users_own_are_dealt_alike():
    dealt = dealing.assign(
        listing(hernia=hernia),
        fractions={"train": 0.5, "val": 0.25, "test": 0.25},
        by="image",
        seed=3,
    )
    assert sorted(parts(dealt, lambda item: item.labels["hernia"] == 1)) == [
        "test",
        "train",
        "val",
    ]
    assert dealt.how.startswith(
        "dealt train 0.5, val 0.25, test 0.25 by image, every value of hernia in every split"
    )


def test_stratified_and_plain_dealing_are_what_splits_deals():
    given = listing(a=hernia, b=lambda i: i % 3)
    who = np.array([item.patient for item in given.items])
    shares = {"train": 0.8, "val": 0.1, "test": 0.1}
    stratified, plain = (
        dealing.assign(given, stratify="b", seed=7),
        dealing.assign(given, stratify="", seed=7),
    )
    assert (
        parts(stratified)
        == splits.deal(200, shares, 7, patients=who, strata=np.arange(200) % 3).tolist()
    )
    assert parts(plain) == splits.deal(200, shares, 7, patients=who).tolist()
    assert (
        stratified.how == "dealt train 0.8, val 0.1, test 0.1 by patient, stratified by b, seed 7"
    )
    assert plain.how == "dealt train 0.8, val 0.1, test 0.1 by patient, seed 7"
    assert stratified.notes == plain.notes == []


def test_missing_values_are_no_class():
    dealt = dealing.assign(listing(a=lambda i: MISSING if i % 4 else i // 4 % 2))
    assert all(
        {0, 1} <= {item.labels["a"] for item in dealt.items if item.split == split}
        for split in ("train", "val", "test")
    )
    assert "every value of" not in dealing.assign(listing(a=lambda i: MISSING if i % 4 else 0)).how


@pytest.mark.parametrize("train", ["train", "train_val"])
def test_the_publishers_training_images_are_dealt_to_train_and_val(train):
    given = listing(hernia=lambda i: i in (10, 50), split=lambda i: "test" if i >= 150 else train)
    dealt = dealing.assign(given)
    assert parts(dealt)[150:] == ["test"] * 50
    assert sorted(parts(dealt, lambda item: item.labels["hernia"] == 1)) == ["train", "val"]
    assert dealt.how.startswith(
        "the publisher's; its training images dealt train 0.9, val 0.1 by patient, every value of"
        " hernia"
    )


def test_the_publishers_splits_are_kept():
    given = listing(hernia=hernia, split=lambda i: "val" if i >= 150 else "train")
    assert dealing.assign(given) == (given.items, "the publisher's", [])


def test_what_cannot_be_dealt_is_an_error():
    with pytest.raises(ConfigError, match="cannot stratify by 'hernias': did you mean 'hernia'"):
        dealing.assign(listing(hernia=hernia), stratify="hernias")
    with pytest.raises(DataError, match="2 patients cannot be dealt to 3 splits"):
        dealing.assign(listing(4, hernia=lambda i: i % 2))
    with pytest.raises(DataError, match="0 patients cannot be dealt to 3 splits"):
        dealing.assign(Listing([]), fractions={"train": 0.8, "val": 0.1, "test": 0.1})
    with pytest.raises(DataError, match="some have none"):
        dealing.assign(listing(a=hernia, split=lambda i: "train" if i else None))
    with pytest.raises(DataError, match="either the publisher's or dealt"):
        dealing.assign(listing(a=hernia, split=lambda i: "val" if i else "train_val"))
