"""Log loss, Brier score and calibration error beside scikit-learn and their formulas."""

import numpy as np
import pytest
from made_scores import GRADES, LABELS, check, counted, labels, over_labels, whole
from scipy import special
from sklearn import calibration
from sklearn import metrics as sklearn

from transfer_jax import metrics
from transfer_jax.metrics import Scored, probabilities

NAMES = ("log_loss", "brier", "ece")


def calibration_error(probability, right):
    """The sum over bins of their share times |accuracy - confidence|, in a plain loop."""
    edges, total = np.linspace(0, 1, 16), 0.0
    for i in range(15):
        low = -1 if i == 0 else edges[i]
        high = 2 if i == 14 else edges[i + 1]
        inside = (probability > low) & (probability <= high)
        if inside.any():
            gap = abs(right[inside].mean() - probability[inside].mean())
            total += gap * inside.mean()
    return total


def of_label(name, scores, truth):
    if not len(truth):
        return "no images"
    if np.isnan(scores).any():
        return "a score is NaN"
    probability = special.expit(scores)
    if name == "log_loss":
        return sklearn.log_loss(truth, probability, labels=[0, 1])
    if name == "brier":
        return np.mean((probability - truth) ** 2)
    return calibration_error(probability, truth)


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("name", NAMES)
def test_labels(name, case):
    scored = LABELS[case]
    numbers = [of_label(name, *counted(scored, i)) for i in range(len(scored.outputs))]
    check(metrics.measure(scored, [name]), over_labels(name, scored, numbers))


@pytest.mark.parametrize("case", GRADES)
@pytest.mark.parametrize("name", NAMES)
def test_classes(name, case):
    scored = GRADES[case]
    scores, classes = whole(scored)
    if not len(classes) or np.isnan(scores).any():
        number = "a score is NaN" if len(classes) else "no images"
        return check(metrics.measure(scored, [name]), {(name, ""): number})
    softmax = special.expit(scores)
    softmax /= softmax.sum(axis=1, keepdims=True)
    outputs = range(len(scored.outputs))
    if name == "log_loss":
        number = sklearn.log_loss(classes, softmax, labels=outputs)
    elif name == "brier":
        number = sklearn.brier_score_loss(classes, softmax, labels=outputs)
    else:
        right = scores.argmax(axis=1) == classes
        number = calibration_error(softmax.max(axis=1), right)
    check(metrics.measure(scored, [name]), {(name, ""): number})


def test_brier_of_a_label_is_scikit_learns():
    scored = labels(50, seed=1)
    scores, truth = counted(scored, 0)
    expected = sklearn.brier_score_loss(truth, special.expit(scores))
    check(metrics.measure(scored, ["brier"]), {("brier", ""): expected})


def test_a_score_that_is_infinitely_wrong_costs_what_it_costs_in_scikit_learn():
    scored = Scored(
        log_odds=np.array([[np.inf], [-np.inf], [800.0]]),
        indicators=np.array([[0.0], [1.0], [0.0]]),
        mask=np.ones((3, 1), bool),
        outputs=("a",),
        exclusive=False,
    )
    (value,) = metrics.measure(scored, ["log_loss"])
    assert value.value == pytest.approx(-np.log(np.finfo(float).eps))


def test_nothing_is_lost_between_certain_probabilities():
    # 1 - p has two digits left here; the loss of log-odds has all of them.
    scored = Scored(
        log_odds=np.array([[34.0]]), indicators=np.zeros((1, 1)), mask=np.ones((1, 1), bool),
        outputs=("a",), exclusive=False,
    )  # fmt: skip
    (value,) = metrics.measure(scored, ["log_loss"])
    assert value.value == pytest.approx(34.0, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_without_any_possible_class_has_no_probabilities(name):
    scored = GRADES["random"]
    log_odds = scored.log_odds.copy()
    log_odds[4] = -np.inf
    impossible = Scored(
        log_odds=log_odds, indicators=scored.indicators, mask=scored.mask,
        outputs=scored.outputs, exclusive=True,
    )  # fmt: skip
    reason = "all classes of an image have a probability of zero"
    check(metrics.measure(impossible, [name]), {(name, ""): reason})


def test_bins_are_those_of_scikit_learn():
    scores, truth = counted(labels(500, seed=2, levels=3), 0)
    binned = probabilities.bins(probabilities.Predicted(special.expit(scores), truth > 0))
    true, predicted = calibration.calibration_curve(truth, special.expit(scores), n_bins=15)
    filled = binned.counts > 0
    assert binned.counts.sum() == 500
    np.testing.assert_allclose(binned.accuracy[filled], true)
    np.testing.assert_allclose(binned.confidence[filled], predicted)
    assert np.isnan(binned.accuracy[~filled]).all()
