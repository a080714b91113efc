"""AUC and average precision beside scikit-learn's."""

import time

import numpy as np
import pytest
from made_scores import (
    GRADES,
    HUGE,
    LABELS,
    check,
    counted,
    grades,
    labels,
    over_labels,
    whole,
)
from sklearn import metrics as sklearn

from transfer_jax import metrics
from transfer_jax.metrics import Scored, ranking

CASES = {f"labels: {n}": s for n, s in LABELS.items()} | {
    f"grades: {n}": s for n, s in GRADES.items()
}


def auc(scores, truth):
    if not len(truth):
        return "no images"
    if np.isnan(scores).any():
        return "a score is NaN"
    if truth.min() == truth.max():
        return "no negatives" if truth[0] else "no positives"
    return sklearn.roc_auc_score(truth, scores)


def average_precision(scores, truth):
    if not len(truth):
        return "no images"
    if np.isnan(scores).any():
        return "a score is NaN"
    return sklearn.average_precision_score(truth, scores) if truth.any() else "no positives"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("metric", [auc, average_precision])
def test_equal_to_scikit_learn_label_by_label(metric, case):
    scored = CASES[case]
    columns = [counted(scored, i) for i in range(len(scored.outputs))]
    numbers = [metric(*column) for column in columns]
    pooled = metric(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))
    supports = [truth.sum() for _, truth in columns]
    expected = over_labels(metric.__name__, scored, numbers, supports, pooled)
    if metric is auc and len(numbers) > 1:
        expected["auc_labels", ""] = sum(not isinstance(number, str) for number in numbers)
    check(metrics.measure(scored, [metric.__name__]), expected)


@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
@pytest.mark.parametrize("function", [sklearn.roc_auc_score, sklearn.average_precision_score])
def test_averages_are_those_of_scikit_learn(average, function):
    name = {"roc_auc_score": "auc"}.get(function.__name__, "average_precision")
    suffix = "" if average == "macro" else f"_{average}"
    for scored in (labels(70, 4, seed=21, levels=2), grades(90, 5, seed=22)):
        value = next(v for v in metrics.measure(scored, [name]) if v.metric == name + suffix)
        expected = function(scored.indicators, scored.log_odds, average=average)
        assert value.value == pytest.approx(expected, abs=1e-12)


def test_the_auc_of_classes_is_the_mean_of_one_against_the_rest():
    scored = GRADES["random"]
    scores, classes = whole(scored)
    probabilities = np.exp(scores) / (1 + np.exp(scores))
    expected = sklearn.roc_auc_score(classes, probabilities, multi_class="ovr")
    assert ranking.auc(scored)[0].value == pytest.approx(expected, abs=1e-12)


def one_label(scores, truth):
    shape = (len(scores), 1)
    return Scored(
        log_odds=np.reshape(np.float64(scores), shape),
        indicators=np.reshape(np.float64(truth), shape),
        mask=np.ones(shape, bool),
        outputs=("a",),
        exclusive=False,
    )


def test_no_pair_is_lost_where_neither_float32_nor_int32_holds_their_number():
    n = 1 << 17  # pairs: 2 ** 34
    scores = np.arange(2 * n, dtype=np.float64)
    truth = scores % 2 == 1  # each positive is above its negative and all lower ones
    scores[0] = np.inf  # but the lowest negative is above all
    (value,) = ranking.auc(one_label(scores, truth))
    assert value.value == (n * (n + 1) // 2 - n) / n**2


def test_infinite_scores_rank_as_such():
    (value,) = ranking.auc(one_label([np.inf, np.inf, 1.0, -np.inf], [1, 0, 1, 0]))
    assert value.value == sklearn.roc_auc_score([1, 0, 1, 0], [HUGE, HUGE, 1.0, -HUGE])


def test_an_evaluation_of_chestx_ray14_takes_less_than_a_second():
    scored = labels(22_000, 14)
    start = time.process_time()
    ranking.auc(scored)
    assert time.process_time() - start < 1
