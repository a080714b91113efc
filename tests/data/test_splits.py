import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from transfer_jax.core.errors import DataError
from transfer_jax.data import splits

RNG = np.random.default_rng(0)
COUNT = 2000
PATIENTS = np.array([f"p{i}" for i in RNG.integers(0, 300, COUNT)])
CLASSES = RNG.choice(4, COUNT, p=(0.7, 0.2, 0.07, 0.03))
SHARES = {"train": 0.8, "val": 0.05, "test": 0.15}


def balance(parts, part):
    own = CLASSES[parts == part]
    return np.bincount(own, minlength=4) / len(own)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("stratified", [False, True])
def test_deal_keeps_shares_patients_and_classes(grouped, stratified):
    chosen = {"patients": PATIENTS if grouped else None, "strata": CLASSES if stratified else None}
    parts = splits.deal(COUNT, SHARES, seed=1, **chosen)
    for part, share in SHARES.items():
        assert np.mean(parts == part) == pytest.approx(share, abs=0.01 if grouped else 0.001)
        if stratified:
            np.testing.assert_allclose(
                balance(parts, part), np.bincount(CLASSES) / COUNT, atol=0.02 if grouped else 0.01
            )
    assert bool(splits.overlap(PATIENTS, parts)) != grouped
    assert (parts == splits.deal(COUNT, SHARES, seed=1, **chosen)).all()
    assert (parts != splits.deal(COUNT, SHARES, seed=2, **chosen)).any()


def test_stratified_by_image_is_exact_where_numbers_divide():
    classes = np.repeat([0, 1, 2], [100, 40, 20])
    parts = splits.deal(160, {"train": 0.8, "val": 0.1, "test": 0.1}, strata=classes)
    assert [
        [int(((parts == p) & (classes == c)).sum()) for c in range(3)]
        for p in ("train", "val", "test")
    ] == [
        [80, 32, 16],
        [10, 4, 2],
        [10, 4, 2],
    ]


@pytest.mark.parametrize("patients", [None, PATIENTS])
def test_folds_are_as_large_as_each_other_and_hold_every_image_once(patients):
    number = splits.folds(COUNT, 5, seed=3, patients=patients, strata=CLASSES)
    assert np.bincount(number, minlength=5).max() - np.bincount(number).min() <= (
        1 if patients is None else 20
    )
    for fold in range(5):
        np.testing.assert_allclose(balance(number, fold), np.bincount(CLASSES) / COUNT, atol=0.02)
    if patients is not None:
        assert not splits.overlap(PATIENTS, number)


def test_grouped_folds_are_as_balanced_as_scikit_learns():
    def spread(number):
        table = np.array([np.bincount(CLASSES[number == fold], minlength=4) for fold in range(5)])
        return (table / table.sum(0)).std()

    theirs = np.empty(COUNT, int)
    for fold, (_, held_out) in enumerate(
        StratifiedGroupKFold(5, shuffle=True, random_state=0).split(CLASSES, CLASSES, PATIENTS)
    ):
        theirs[held_out] = fold
    assert spread(splits.folds(COUNT, 5, patients=PATIENTS, strata=CLASSES)) <= 1.5 * spread(theirs)


def test_one_fold_held_out_whole_or_dealt_again():
    number = splits.folds(COUNT, 5, patients=PATIENTS)
    plain = splits.fold(number, 2, {"val": 1.0})
    assert ((plain == "val") == (number == 2)).all()
    juodelyte = splits.fold(number, 2, {"val": 0.25, "test": 0.75}, patients=PATIENTS)
    assert ((juodelyte == "train") == (number != 2)).all()
    assert not splits.overlap(PATIENTS, juodelyte)
    assert np.mean(juodelyte == "val") == pytest.approx(0.05, abs=0.01)
    assert np.mean(juodelyte == "test") == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize("patients", [None, PATIENTS])
def test_nested_subsets_are_nested_and_fair(patients):
    order = splits.nested(COUNT, seed=0, patients=patients, strata=CLASSES)
    assert sorted(order.tolist()) == list(range(COUNT))
    for size in (200, 500, 1000):
        np.testing.assert_allclose(
            np.bincount(CLASSES[order[:size]], minlength=4) / size,
            np.bincount(CLASSES) / COUNT,
            atol=0.06,
        )
    if patients is not None:
        seen = PATIENTS[order]
        first = {patient: int(np.flatnonzero(seen == patient)[0]) for patient in set(seen.tolist())}
        assert all(
            (seen[i : i + (patient == PATIENTS).sum()] == patient).all()
            for patient, i in first.items()
        )


def test_wen_and_yaps_split_has_their_shares_and_leaks():
    # Their counts: 103,364 / 44,299 / 16,407 of 164,070.
    parts = splits.wen_yap(CLASSES)
    for part, count in (("train", 103_364), ("val", 44_299), ("test", 16_407)):
        assert np.mean(parts == part) == pytest.approx(count / 164_070, abs=0.002)
        np.testing.assert_allclose(balance(parts, part), np.bincount(CLASSES) / COUNT, atol=0.01)
    assert splits.overlap(PATIENTS, parts)


def test_overlap_names_patients_and_parts():
    shared = splits.overlap(["c", "b", "a", "a", "c"], ["val", "train", "val", "train", "test"])
    assert list(shared.items()) == [("a", ["train", "val"]), ("c", ["test", "val"])]


def test_what_cannot_be_dealt_is_an_error():
    with pytest.raises(DataError, match="1 patients cannot be dealt to 2 splits"):
        splits.deal(2, {"train": 0.5, "val": 0.5}, patients=["a", "a"])
    with pytest.raises(DataError, match="add up to 1"):
        splits.deal(2, {"train": 0.5, "val": 0.6})
    with pytest.raises(DataError, match="at least 2"):
        splits.folds(10, 1)
    with pytest.raises(DataError, match="3 images cannot be dealt to 5 folds"):
        splits.folds(3, 5)


def test_two_hundred_thousand_images_are_dealt_in_seconds():
    import time

    patients = np.random.default_rng(0).integers(0, 60_000, 220_000)
    start = time.perf_counter()
    parts = splits.deal(220_000, SHARES, patients=patients, strata=patients % 5)
    assert time.perf_counter() - start < 20  # 1.5 s on a quiet machine
    assert not splits.overlap(patients, parts)
