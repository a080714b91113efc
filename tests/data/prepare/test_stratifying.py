"""Dealing that puts every label into every split: rare labels, shares, patients, seeds."""

import csv
import time

import numpy as np
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data import splits
from transfer_jax.data.prepare import stratifying

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def absent(parts, members):
    return [
        (i, split)
        for i, member in enumerate(members)
        for split in SHARES
        if not (parts[member] == split).any()
    ]


def rare(count, patients, sizes, seed=0):
    """A common label, and labels of as many patients as `sizes` says, one image each."""
    rng = np.random.default_rng(seed)
    who = np.concatenate([np.arange(patients), rng.integers(0, patients, count - patients)])
    members = [rng.random(count) < 0.4]
    for size in sizes:
        member = np.zeros(count, bool)
        member[rng.choice(patients, size, replace=False)] = True
        members.append(member)
    return who, [each for member in members for each in (member, ~member)]


@pytest.mark.parametrize("seed", range(5))
def test_a_label_of_three_patients_is_in_all_three_splits_and_the_shares_are_kept(seed):
    patients, members = rare(1000, 600, (3, 3, 4, 5, 7, 10, 30))
    parts = stratifying.deal(1000, SHARES, seed, patients=patients, members=members)
    assert absent(parts, members) == []
    assert not splits.overlap(patients, parts)
    for split, share in SHARES.items():
        assert np.mean(parts == split) == pytest.approx(share, abs=0.01)
    assert absent(
        splits.deal(1000, SHARES, seed, patients=patients), members
    )  # plain dealing does not do it


def test_common_labels_keep_their_shares():
    patients, members = rare(2000, 900, (200, 60))
    parts = stratifying.deal(2000, SHARES, 1, patients=patients, members=members)
    for member in members:
        for split, share in SHARES.items():
            assert np.mean(parts[member] == split) == pytest.approx(share, abs=0.03)


def test_the_seed_decides_alone():
    patients, members = rare(300, 200, (3, 8))
    first, again, other = (
        stratifying.deal(300, SHARES, seed, patients=patients, members=members)
        for seed in (4, 4, 5)
    )
    assert (first == again).all() and (first != other).any()


def test_fewer_patients_than_splits_go_to_training_first():
    patients, members = rare(300, 200, (1, 2))
    parts = stratifying.deal(300, SHARES, patients=patients, members=members)
    assert sorted(set(parts[members[2]].tolist())) == ["train"]
    assert sorted(set(parts[members[4]].tolist())) == ["train", "val"]


def test_patients_are_moved_where_labels_that_overlap_left_a_split_without_one():
    # The label of 0, 1, 10, 11 and 20 loses its first four patients to the two rarer labels, which
    # need training images.
    patients = np.arange(100)
    members = [
        np.isin(patients, group) for group in ((0, 1, 2, 3), (10, 11, 12, 13), (0, 1, 10, 11, 20))
    ]
    for seed in range(20):
        parts = stratifying.deal(100, SHARES, seed, patients=patients, members=members)
        assert absent(parts, members) == []


def test_shares_are_kept_where_all_classes_are_rare():
    # 100 classes of 3 patients: not all can be in a validation split of a tenth.
    kinds = np.repeat(np.arange(100), 3)
    parts = stratifying.deal(
        300, SHARES, patients=np.arange(300), members=[kinds == kind for kind in range(100)]
    )
    for split, share in SHARES.items():
        assert np.mean(parts == split) == pytest.approx(share, abs=0.021)


def test_two_parts_images_without_patients_and_images_of_no_class():
    members = [np.arange(50) < 2, np.arange(50) >= 40]
    parts = stratifying.deal(50, {"train": 0.9, "val": 0.1}, members=members)
    assert [sorted(parts[member].tolist()).count("val") for member in members] == [1, 1]
    assert (parts == "val").sum() == 5


def test_classes_are_the_values_of_labels_that_have_few():
    labels = {
        "a": np.array([0, 1, -1, -2]),
        "b": np.array([0, 0, 0, -1]),
        "age": np.arange(4) * 10,
        "grade": np.array([2, 0, 2, 4]),
    }
    assert list(stratifying.classes(labels | {"years": np.arange(4)})) == [
        ("a", 0), ("a", 1), *(("age", value) for value in (0, 10, 20, 30)), ("grade", 0),
        ("grade", 2), ("grade", 4),
        *(("years", value) for value in range(4)),
    ]  # fmt: skip
    assert stratifying.classes({"age": np.arange(21)}) == {}
    assert stratifying.classes({"a": labels["a"]})["a", 1].tolist() == [False, True, False, False]


def test_what_cannot_be_dealt_is_an_error():
    with pytest.raises(DataError, match="2 patients cannot be dealt to 3 splits"):
        stratifying.deal(4, SHARES, patients=["a", "a", "b", "b"], members=[])
    with pytest.raises(DataError, match="add up to 1"):
        stratifying.deal(4, {"train": 0.5}, members=[])


def test_two_hundred_thousand_images_are_dealt_in_seconds():
    rng = np.random.default_rng(0)
    patients = rng.integers(0, 60_000, 220_000)
    members = [rng.random(220_000) < share for share in np.geomspace(0.0005, 0.5, 28)]
    start = time.perf_counter()
    parts = stratifying.deal(220_000, SHARES, patients=patients, members=members)
    assert time.perf_counter() - start < 30  # 2.5 s on a quiet machine
    assert absent(parts, members) == []


@pytest.mark.shared_data
def test_the_real_chest_x_rays_with_a_hernia_in_three_patients(shared):
    with open(shared / "cxr_nih14" / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    patients = np.array([row["patient"] for row in rows])
    findings = [name for name in rows[0] if name[0].isupper() and name != "No_Finding"]
    labels = {name: np.array([int(row[name]) for row in rows]) for name in findings}
    labels["Hernia"] = np.isin(patients, np.unique(patients)[[5, 200, 400]]).astype(
        int
    )  # as many as the whole set has
    members = list(stratifying.classes(labels).values())
    assert len(members) == 28
    for seed in range(3):
        parts = stratifying.deal(len(rows), SHARES, seed, patients=patients, members=members)
        assert absent(parts, members) == []
        assert not splits.overlap(patients, parts)
        assert np.mean(parts == "train") == pytest.approx(0.8, abs=0.01)
