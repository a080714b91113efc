import math

import numpy as np
import pytest

from transfer_jax.analysis import agreement
from transfer_jax.core.errors import AnalysisError


def column(*values):
    return np.array(values, np.float64)[:, None]


def test_a_table_counted_by_hand():
    targets = column(1, 1, 1, 0, 0, 0, 0, 0)
    first = column(0.9, 0.2, 0.8, 0.1, 0.6, 0.1, 0.2, 0.3)  # wrong on 1 and 4
    second = column(0.9, 0.2, 0.1, 0.1, 0.2, 0.1, 0.2, 0.3)  # wrong on 1 and 2
    (found,) = agreement.compare("binary", first, second, targets)
    assert (found.images, found.accuracy_a, found.accuracy_b) == (8, 6 / 8, 6 / 8)
    assert found.similarity == 6 / 8  # all but images 2 and 4
    assert found.independent == pytest.approx(0.75**2 + 0.25**2)
    assert found.kappa == pytest.approx((0.75 - 0.625) / (1 - 0.625))


def test_the_independent_level_takes_both_accuracies():
    targets = column(*[1] * 10)
    first, second = column(*[1] * 9, 0), column(*[1] * 5, *[0] * 5)
    (found,) = agreement.compare("binary", first, second, targets)
    assert found.independent == pytest.approx(
        0.9 * 0.5 + 0.1 * 0.5
    )  # the first accuracy twice would give 0.82


def test_random_predictions_lie_at_the_independent_level():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (20_000, 1)).astype(float)
    first, second = (
        np.where(rng.random((20_000, 1)) < accuracy, targets, 1 - targets)
        for accuracy in (0.8, 0.7)
    )
    (found,) = agreement.compare("binary", first, second, targets)
    assert found.similarity == pytest.approx(0.8 * 0.7 + 0.2 * 0.3, abs=0.01)
    assert found.kappa == pytest.approx(0, abs=0.02)


def test_classes_are_compared_by_the_most_likely_one():
    targets = column(0, 1, 2)
    first = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]])
    second = np.array([[0.4, 0.3, 0.3], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]])
    (found,) = agreement.compare("multiclass", first, second, targets)
    # Image 1: other classes, but both wrong.
    assert (found.accuracy_a, found.accuracy_b, found.similarity) == pytest.approx(
        (2 / 3, 1 / 3, 2 / 3)
    )


def test_labels_that_do_not_count_are_left_out():
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    first = np.array([[0.9, 0.9], [0.9, 0.9], [0.9, 0.9]])
    counted = np.array([[True, False], [True, False], [False, False]])
    found = agreement.compare("multilabel", first, first, targets, counted)
    assert (found[0].images, found[0].accuracy_a, found[0].similarity, found[0].kappa) == (
        2,
        0.5,
        1.0,
        1.0,
    )
    assert found[1].images == 0
    assert math.isnan(found[1].similarity)


def test_kappa_is_undefined_without_a_mistake():
    (found,) = agreement.compare("binary", column(1, 1), column(1, 1), column(1, 1))
    assert (found.similarity, found.independent) == (1, 1)
    assert math.isnan(found.kappa)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counted": np.zeros((2, 1), bool)}, "no image has a label that counts"),
        ({"first": column(1, np.nan)}, "hold NaN"),
        ({"first": np.ones((2, 3))}, "predictions of 3 labels cannot be held against 1"),
        (
            {"first": np.ones((0, 1)), "second": np.ones((0, 1)), "targets": np.ones((0, 1))},
            "no image has a label that counts",
        ),
    ],
)
def test_what_cannot_be_compared(changes, message):
    given = {
        "first": column(1, 0),
        "second": np.ones_like(changes.get("first", column(1, 0))),
        "targets": column(1, 0),
    } | changes
    with pytest.raises(AnalysisError, match=message):
        agreement.compare("binary", **given)
