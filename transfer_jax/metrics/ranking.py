"""Metrics of the order of the scores, whatever their scale: AUC and average precision.

A class of a multiclass task is judged one against the rest. Infinite scores rank as such; a score
that is NaN has no place in an order and leaves its label without a value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from transfer_jax.metrics import over_labels
from transfer_jax.metrics.scored import NO_POSITIVES, Counted, Number, Scored, Value, undefined


def auc(scored: Scored) -> list[Value]:
    """Returns the area under the ROC curve, in [0, 1], exact with ties.

    AUC = (correctly ordered pairs + half of the tied pairs) / pairs of a positive and a negative.
    The pairs are counted as whole numbers and divided once.

    Returns:
      Besides the values of `over_labels.values`, "auc_labels": the number of labels in the mean,
      where there are several labels. A label has no AUC without positives or without negatives.

    Source: The Mann-Whitney statistic; Hanley and McNeil 1982.
    """
    columns = scored.columns()
    numbers = [area(column) for column in columns]
    if len(columns) == 1:
        return over_labels.values("auc", scored, numbers)
    values = over_labels.values(
        "auc", scored, numbers, supports=_supports(columns), micro=area(scored.pooled())
    )
    # A count, which tables show as a whole number.
    labels = sum(not number.reason for number in numbers)
    return [values[0], Value("auc_labels", "", labels, ""), *values[1:]]


def area(counted: Counted) -> Number:
    """Returns the AUC of one output."""
    if flaw := counted.flaw(both=True):
        return undefined(flaw)
    negatives = np.sort(counted.log_odds[~counted.positive])
    # A search for sorted values stays in the cache.
    positives = np.sort(counted.log_odds[counted.positive])
    below = np.searchsorted(negatives, positives, side="left")
    not_above = np.searchsorted(negatives, positives, side="right")
    twice = int(below.sum()) + int(not_above.sum())
    return Number(twice / (2 * len(positives) * len(negatives)))


def average_precision(scored: Scored) -> list[Value]:
    """Returns the average precision, in [0, 1]: the area under the steps of precision over recall.

    AP = sum over thresholds of (recall - recall at the threshold above) * precision, without
    interpolation, as in `average_precision_score` of scikit-learn. A label has none without
    positives.
    """
    columns = scored.columns()
    numbers = [_average_precision(column) for column in columns]
    micro = _average_precision(scored.pooled()) if len(columns) > 1 else None
    return over_labels.values(
        "average_precision", scored, numbers, supports=_supports(columns), micro=micro
    )


def _average_precision(counted: Counted) -> Number:
    if flaw := counted.flaw():
        return undefined(flaw)
    if not counted.positive.any():
        return undefined(NO_POSITIVES)
    called = call_from(counted)
    precision = called.true_positives / (called.true_positives + called.false_positives)
    steps = np.diff(called.true_positives, prepend=0)
    return Number(float((steps * precision).sum() / called.true_positives[-1]))


class Called(NamedTuple):
    """What is called positive at each of p thresholds.

    Attributes:
      thresholds: The different scores, the highest first.
      true_positives: Number of positives whose score is at or above the threshold.
      false_positives: Number of negatives whose score is at or above the threshold.
    """

    thresholds: Float[np.ndarray, " p"]
    true_positives: Int[np.ndarray, " p"]
    false_positives: Int[np.ndarray, " p"]


def call_from(counted: Counted) -> Called:
    """Returns what is called positive from each score on; no score may be NaN."""
    order = np.argsort(counted.log_odds)[::-1]
    scores = counted.log_odds[order]
    last = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    true = np.cumsum(counted.positive[order])[last]
    return Called(scores[last], true, last + 1 - true)


def _supports(columns: list[Counted]) -> list[int]:
    return [int(column.positive.sum()) for column in columns]
