import dataclasses

import numpy as np
import pytest
from made_scores import grades, labels

from transfer_jax.metrics import Scored
from transfer_jax.metrics.scored import indicators


def test_arrays_are_converted_and_thresholds_are_one_half():
    scored = Scored(
        log_odds=np.ones((4, 2), np.float32),
        indicators=np.ones((4, 2), np.float32),
        mask=np.ones((4, 2), bool),
        outputs=("a", "b"),
        exclusive=False,
    )
    assert scored.log_odds.dtype == scored.indicators.dtype == np.float64
    np.testing.assert_array_equal(scored.thresholds, [0, 0])
    other = dataclasses.replace(scored, thresholds=np.array([1.0, np.nan]))
    np.testing.assert_array_equal(other.thresholds, [1, np.nan])


@pytest.mark.parametrize(
    "changes",
    [
        {"log_odds": np.ones((3, 2))},
        {"mask": np.ones((4, 1), bool)},
        {"outputs": ("a",)},
        {"outputs": ()},
        {"thresholds": np.zeros(3)},
    ],
)
def test_arrays_that_do_not_fit_together_are_an_error(changes):
    fields = {
        "log_odds": np.ones((4, 2)), "indicators": np.ones((4, 2)),
        "mask": np.ones((4, 2), bool), "outputs": ("a", "b"), "exclusive": False,
    }  # fmt: skip
    Scored(**fields)
    # The check of shapes that tests run with comes first; without it there is a ValueError.
    with pytest.raises((ValueError, TypeError)):
        Scored(**{**fields, **changes})


@pytest.mark.parametrize("rows", [np.array([3, 0, 3]), np.arange(6) % 2 == 0])
def test_some_of_the_images(rows):
    scored = dataclasses.replace(labels(6, 2), thresholds=np.array([0.5, 1.0]))
    taken = scored.take(rows)
    np.testing.assert_array_equal(taken.log_odds, scored.log_odds[rows])
    np.testing.assert_array_equal(taken.indicators, scored.indicators[rows])
    np.testing.assert_array_equal(taken.mask, scored.mask[rows])
    np.testing.assert_array_equal(taken.thresholds, scored.thresholds)
    assert taken.outputs == scored.outputs


def test_what_counts():
    scored = labels(50, 3, mask=0.5)
    for i, column in enumerate(scored.columns()):
        np.testing.assert_array_equal(column.log_odds, scored.log_odds[scored.mask[:, i], i])
    assert len(scored.pooled().positive) == scored.mask.sum()
    assert len(scored.images().mask) == scored.mask.all(axis=1).sum()
    assert len(grades(40, mask=0.5).images().mask) < 40


def test_indicators_of_classes_are_one_against_the_rest():
    targets, mask = np.array([[2.0], [0.0]], np.float32), np.array([[True], [False]])
    is_class, counts = indicators(targets, mask, 3, exclusive=True)
    np.testing.assert_array_equal(is_class, [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(counts, [[True] * 3, [False] * 3])
    same, counts = indicators(targets, mask, 1, exclusive=False)
    assert same is targets and counts is mask
