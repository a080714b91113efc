"""Decisions beside scikit-learn's."""

import dataclasses

import numpy as np
import pytest
from made_scores import (
    GRADES,
    LABELS,
    by_name,
    check,
    counted,
    grades,
    labels,
    mean,
    over_labels,
    whole,
)
from sklearn import metrics as sklearn

from transfer_jax import metrics
from transfer_jax.metrics.scored import Value


def expected_of(name, truth, called):
    """scikit-learn's number of one label, or the reason why it has none."""
    positives, negatives = truth.any(), not truth.all()
    if name == "accuracy":
        return sklearn.accuracy_score(truth, called)
    if name == "balanced_accuracy":
        lacking = "no negatives" if positives else "no positives"
        both = positives and negatives
        return sklearn.balanced_accuracy_score(truth, called) if both else lacking
    if name == "precision":
        return (
            sklearn.precision_score(truth, called) if called.any() else "nothing is called positive"
        )
    if name in ("recall", "sensitivity"):
        return sklearn.recall_score(truth, called) if positives else "no positives"
    if name == "specificity":
        return sklearn.recall_score(truth, called, pos_label=0) if negatives else "no negatives"
    if not (positives or called.any()):
        return "no positives, and nothing is called positive"
    return sklearn.f1_score(truth, called)


AVERAGED = ("precision", "recall", "f1")
BY_LABEL = ("accuracy", "balanced_accuracy", *AVERAGED, "sensitivity", "specificity")


def of_label(name, scores, truth, threshold=0.0):
    if not len(truth):
        return "no images"
    if np.isnan(scores).any():
        return "a score is NaN"
    return expected_of(name, truth, (scores >= threshold).astype(int))


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("name", BY_LABEL)
def test_labels_equal_scikit_learn(name, case):
    scored = LABELS[case]
    columns = [counted(scored, i) for i in range(len(scored.outputs))]
    numbers = [of_label(name, *column) for column in columns]
    if name not in AVERAGED:
        return check(metrics.measure(scored, [name]), over_labels(name, scored, numbers))
    pooled = of_label(name, *(np.concatenate(parts) for parts in zip(*columns, strict=True)))
    supports = [truth.sum() for _, truth in columns]
    check(metrics.measure(scored, [name]), over_labels(name, scored, numbers, supports, pooled))


@pytest.mark.parametrize("case", GRADES)
@pytest.mark.parametrize("name", [*AVERAGED, "sensitivity", "specificity"])
def test_classes_equal_scikit_learn_one_against_the_rest(name, case):
    scored = GRADES[case]
    scores, classes = whole(scored)
    outputs = range(len(scored.outputs))
    flaw = "a score is NaN" if np.isnan(scores).any() else "" if len(classes) else "no images"
    predicted = scores.argmax(axis=1) if len(classes) else classes
    numbers = [
        flaw or expected_of(name, (classes == i).astype(int), (predicted == i).astype(int))
        for i in outputs
    ]
    supports = [(classes == i).sum() for i in outputs] if name in AVERAGED else None
    micro = flaw or sklearn.accuracy_score(classes, predicted)
    check(metrics.measure(scored, [name]), over_labels(name, scored, numbers, supports, micro))


@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
@pytest.mark.parametrize("name", AVERAGED)
def test_averages_are_those_of_scikit_learn(name, average):
    suffix = "" if average == "macro" else f"_{average}"
    function = getattr(sklearn, f"{name}_score")
    options = {"average": average, "zero_division": np.nan}
    several, classes = labels(70, 4, seed=23), grades(60, 6, seed=24, present=[0, 1, 4])
    for scored, truth, called, more in (
        (several, several.indicators > 0.5, several.log_odds >= 0, {}),
        (
            classes, classes.indicators.argmax(1), classes.log_odds.argmax(1),
            {"labels": range(6)},
        ),
    ):  # fmt: skip
        value, _ = by_name(metrics.measure(scored, [name]))[name + suffix, ""]
        assert value == pytest.approx(function(truth, called, **options, **more), abs=1e-12)


@pytest.mark.parametrize("case", GRADES)
def test_accuracies_of_classes(case):
    scored = GRADES[case]
    scores, classes = whole(scored)
    if not len(classes) or np.isnan(scores).any():
        reason = "a score is NaN" if len(classes) else "no images"
        expected = {"accuracy": reason, "balanced_accuracy": reason}
    else:
        predicted = scores.argmax(axis=1)
        recalls = [sklearn.accuracy_score(classes[classes == i], predicted[classes == i])
                   for i in np.unique(classes)]  # fmt: skip
        expected = {
            "accuracy": sklearn.accuracy_score(classes, predicted),
            "balanced_accuracy": mean(recalls),
        }
    for name, number in expected.items():
        check(metrics.measure(scored, [name]), {(name, ""): number})


def test_balanced_accuracy_of_classes_is_scikit_learns():
    scored = GRADES["random"]
    scores, classes = whole(scored)
    (value,) = metrics.measure(scored, ["balanced_accuracy"])
    assert value.value == sklearn.balanced_accuracy_score(classes, scores.argmax(axis=1))


@pytest.mark.parametrize("case", GRADES)
def test_five_best_classes(case):
    scored = GRADES[case]
    scores, classes = whole(scored)
    outputs = len(scored.outputs)
    if outputs <= 5:
        number = "no more than 5 classes"
    elif not len(classes) or np.isnan(scores).any():
        number = "a score is NaN" if len(classes) else "no images"
    else:
        number = sklearn.top_k_accuracy_score(classes, scores, k=5, labels=range(outputs))
    check(metrics.measure(scored, ["top5"]), {("top5", ""): number})


def test_five_best_classes_are_of_multiclass_tasks():
    check(metrics.measure(labels(9, 8), ["top5"]), {("top5", ""): "not a multiclass task"})


def test_a_score_at_its_threshold_is_called_positive():
    scored = labels(40, 3, seed=25)
    thresholds = np.array([scored.log_odds[7, 0], np.nan, np.inf])
    scored = dataclasses.replace(scored, thresholds=thresholds)
    columns = [counted(scored, i) for i in range(3)]
    numbers = [of_label("recall", *c, t) for c, t in zip(columns, thresholds, strict=True)]
    numbers[1] = "no threshold"
    supports = [truth.sum() for _, truth in columns]
    expected = over_labels("recall", scored, numbers, supports, "no threshold")
    check(metrics.measure(scored, ["recall"]), expected)
    assert numbers[2] == 0.0


def test_the_first_of_equal_classes_is_predicted():
    tied = GRADES["two certain"].take(np.arange(9))
    truth = tied.indicators.argmax(axis=1)
    assert metrics.measure(tied, ["accuracy"]) == [Value("accuracy", "", (truth == 1).mean(), "")]
