"""What the fold that is held out is: test images, validation and test images, or both at once."""

import numpy as np
import pytest

from transfer_jax.data import partition

PATIENTS = np.repeat(np.arange(200), 2).astype(str)
STRATA = np.repeat(np.arange(200) % 2, 2)
POSITIONS = {"train": np.arange(300), "val": np.arange(300, 400)}


def parts(held_out):
    return partition.by_fold(POSITIONS, 5, PATIENTS, STRATA, 0, held_out)


@pytest.mark.parametrize(
    ("held_out", "shares"),
    [("test", (0.75, 0.05, 0.2)), ("split", (0.8, 0.05, 0.15)), ("both", (0.8, 0.2, 0.2))],
)
def test_shares_of_five_folds(held_out, shares):
    for part in parts(held_out):
        sizes = [len(positions) / 400 for positions in part]
        np.testing.assert_allclose(sizes, shares, atol=0.01)


@pytest.mark.parametrize("held_out", ["test", "split"])
def test_no_image_and_no_patient_is_in_two_splits(held_out):
    for part in parts(held_out):
        assert sorted(np.concatenate(part)) == list(range(400))
        patients = [set(PATIENTS[positions]) for positions in part]
        assert not patients[0] & patients[1]
        assert not patients[0] & patients[2]
        assert not patients[1] & patients[2]


def test_every_image_is_tested_once():
    tested = np.concatenate([part.test for part in parts("test")])
    assert sorted(tested) == list(range(400))


def test_validation_images_are_the_test_images_where_both_are_asked_for():
    for part in parts("both"):
        np.testing.assert_array_equal(part.val, part.test)
        assert not set(part.train) & set(part.val)


def test_both_holds_out_what_plain_cross_validation_does():
    for both, test in zip(parts("both"), parts("test"), strict=True):
        np.testing.assert_array_equal(np.sort(both.test), np.sort(test.test))


@pytest.mark.parametrize("held_out", partition.HELD_OUT)
def test_the_same_seed_deals_the_same(held_out):
    for one, again in zip(parts(held_out), parts(held_out), strict=True):
        for positions, positions_again in zip(one, again, strict=True):
            np.testing.assert_array_equal(positions, positions_again)


def test_judged_splits_name_the_test_images_first_and_leave_out_none_there_are():
    part = parts("test")[0]
    assert list(part.judged()) == ["test", "val"]
    assert list(part._replace(test=np.zeros(0, int)).judged()) == ["val"]
