"""Metrics as functions of weights: those of repeated rows, for every metric, label and task."""

import numpy as np
import pytest
from made_predictions import made, rule

from transfer_jax import metrics
from transfer_jax.runs import judging, weighted


def scored(kind, classes=4):
    return judging.judge(made(kind, count=90, classes=classes), rule(kind)).scored


def value_of(one, name, label):
    values = metrics.measure(one, [name])
    return next(value.value for value in values if (value.metric, value.label) == (name, label))


CASES = [
    (kind, name)
    for kind in ("binary", "multilabel", "multiclass")
    for name in metrics.METRICS
    if kind == "multiclass" or name not in metrics.OF_CLASSES
]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_weights_are_numbers_of_copies(kind, name):
    one = scored(kind, classes=7)
    rng = np.random.default_rng(0)
    weights = np.concatenate([np.ones((90, 1)), rng.integers(0, 3, (90, 4))], axis=1)
    values = {(value.metric, value.label) for value in metrics.measure(one, [name])}
    labels = {label for metric, label in values if metric == name}
    assert "" in labels
    for label in labels:
        statistic = weighted.statistic(name, one, label)
        assert statistic is not None
        copies = [one.take(np.repeat(np.arange(90), w.astype(int))) for w in weights.T]
        expected = [value_of(each, name, label) for each in copies]
        np.testing.assert_allclose(statistic(weights), expected, rtol=1e-9)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_ties_and_extreme_scores_are_measured_alike(kind, name):
    one = scored(kind, classes=7)
    one.log_odds[:] = np.round(one.log_odds)
    one.log_odds[::9] *= 200  # beyond what a float64 probability can tell from 0 and 1
    statistic = weighted.statistic(name, one, "")
    np.testing.assert_allclose(statistic(np.ones((90, 1))), [value_of(one, name, "")], rtol=1e-9)


def test_what_has_no_such_function_is_none():
    one = scored("multilabel")
    assert weighted.statistic("auc_weighted", one, "") is None
    assert weighted.statistic("auc", one, "Edemas") is None
    assert weighted.statistic("kappa", one, "") is None


def test_scores_that_are_not_finite_have_none():
    one = scored("binary")
    one.log_odds[one.mask[:, 0].argmax(), 0] = np.inf
    assert weighted.statistic("auc", one, "") is None
