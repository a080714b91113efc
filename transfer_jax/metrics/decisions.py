"""Metrics of decisions: what is called positive, or which class is predicted.

A label is called positive from its threshold on. Of a multiclass task the class of the highest
score is predicted, and each class is judged one against the rest. Numbers are ratios of counts, and
undefined where nothing is counted below the line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from transfer_jax.metrics import over_labels
from transfer_jax.metrics.scored import (
    NO_IMAGES,
    NO_NEGATIVES,
    NO_POSITIVES,
    NOT_EXCLUSIVE,
    Number,
    Scored,
    Value,
    undefined,
)

NO_THRESHOLD = "no threshold"
NONE_CALLED = "nothing is called positive"
TOP = 5


class Counts(NamedTuple):
    """How many decisions on one output are right and wrong.

    Attributes:
      true_positives: Positives that are called positive.
      false_positives: Negatives that are called positive.
      false_negatives: Positives that are not called positive.
      true_negatives: Negatives that are not called positive.
      flaw: Why there are no decisions, in words; "" where there are.
    """

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    true_negatives: int = 0
    flaw: str = ""

    @property
    def positives(self) -> int:
        """Number of positives."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> int:
        """Number of negatives."""
        return self.true_negatives + self.false_positives


def count(scored: Scored) -> list[Counts]:
    """Returns the counts of every output."""
    if scored.exclusive:
        return _count_classes(scored.images())
    counts = []
    for column, threshold in zip(scored.columns(), scored.thresholds, strict=True):
        flaw = column.flaw() or (NO_THRESHOLD if np.isnan(threshold) else "")
        called = column.log_odds >= threshold
        counts.append(Counts(flaw=flaw) if flaw else _count(called, column.positive))
    return counts


def _count_classes(images: Scored) -> list[Counts]:
    if flaw := images.flaw():
        return [Counts(flaw=flaw) for _ in images.outputs]
    classes, predicted = images.classes(), images.predicted_classes()
    return [_count(predicted == i, classes == i) for i in range(len(images.outputs))]


def _count(called: Bool[np.ndarray, " m"], positive: Bool[np.ndarray, " m"]) -> Counts:
    return Counts(
        true_positives=int((called & positive).sum()),
        false_positives=int((called & ~positive).sum()),
        false_negatives=int((~called & positive).sum()),
        true_negatives=int((~called & ~positive).sum()),
    )


def _pooled(counts: Sequence[Counts]) -> Counts:
    """Returns the sums over all outputs; outputs without images add nothing."""
    flaws = [one.flaw for one in counts if one.flaw not in ("", NO_IMAGES)]
    if flaws or all(one.flaw for one in counts):
        return Counts(flaw=flaws[0] if flaws else NO_IMAGES)
    return Counts(
        true_positives=sum(one.true_positives for one in counts),
        false_positives=sum(one.false_positives for one in counts),
        false_negatives=sum(one.false_negatives for one in counts),
        true_negatives=sum(one.true_negatives for one in counts),
    )


_Ratio = Callable[[Counts], Number]


def _ratio(above: int, below: int, reason: str, counts: Counts) -> Number:
    return Number(above / below) if below else undefined(counts.flaw or reason)


def _accuracy(counts: Counts) -> Number:
    right = counts.true_positives + counts.true_negatives
    return _ratio(right, counts.positives + counts.negatives, NO_IMAGES, counts)


def _precision(counts: Counts) -> Number:
    called = counts.true_positives + counts.false_positives
    return _ratio(counts.true_positives, called, NONE_CALLED, counts)


def _recall(counts: Counts) -> Number:
    return _ratio(counts.true_positives, counts.positives, NO_POSITIVES, counts)


def _specificity(counts: Counts) -> Number:
    return _ratio(counts.true_negatives, counts.negatives, NO_NEGATIVES, counts)


def _f1(counts: Counts) -> Number:
    twice = 2 * counts.true_positives
    below = twice + counts.false_positives + counts.false_negatives
    return _ratio(twice, below, f"{NO_POSITIVES}, and {NONE_CALLED}", counts)


def _balanced(counts: Counts) -> Number:
    sensitivity, specificity = _recall(counts), _specificity(counts)
    reason = sensitivity.reason or specificity.reason
    return undefined(reason) if reason else Number((sensitivity.value + specificity.value) / 2)


def _by_label(metric: str, scored: Scored, ratio: _Ratio, averaged: bool = False) -> list[Value]:
    """Returns a ratio per output and over all; weighted and pooled too, if `averaged` is True."""
    counts = count(scored)
    numbers = [ratio(one) for one in counts]
    if not averaged:
        return over_labels.values(metric, scored, numbers)
    supports, micro = [one.positives for one in counts], ratio(_pooled(counts))
    return over_labels.values(metric, scored, numbers, supports=supports, micro=micro)


def accuracy(scored: Scored) -> list[Value]:
    """Returns the share of right decisions, per label; of right classes for a multiclass task."""
    if not scored.exclusive:
        return _by_label("accuracy", scored, _accuracy)
    # Every image has one class, so that right classes are true positives.
    return [Value("accuracy", "", *_recall(_pooled(count(scored))))]


def balanced_accuracy(scored: Scored) -> list[Value]:
    """Returns the mean of sensitivity and specificity, per label.

    For a multiclass task it is the mean recall of the classes that have images.
    """
    if not scored.exclusive:
        return _by_label("balanced_accuracy", scored, _balanced)
    number = over_labels.mean([_recall(counts) for counts in count(scored)])
    return [Value("balanced_accuracy", "", *number)]


def precision(scored: Scored) -> list[Value]:
    """Returns the share of positives among what is called positive."""
    return _by_label("precision", scored, _precision, averaged=True)


def recall(scored: Scored) -> list[Value]:
    """Returns the share of the positives that are called positive."""
    return _by_label("recall", scored, _recall, averaged=True)


def f1(scored: Scored) -> list[Value]:
    """Returns the harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN)."""
    return _by_label("f1", scored, _f1, averaged=True)


def sensitivity(scored: Scored) -> list[Value]:
    """Returns recall under its medical name."""
    return _by_label("sensitivity", scored, _recall)


def specificity(scored: Scored) -> list[Value]:
    """Returns the share of the negatives that are not called positive."""
    return _by_label("specificity", scored, _specificity)


def top5(scored: Scored) -> list[Value]:
    """Returns the share of images whose class is among the five of the highest scores.

    Of equal scores the later class ranks higher, as in `top_k_accuracy_score` of scikit-learn. Five
    classes or fewer have no such number.
    """
    return [Value("top5", "", *_top(scored))]


def _top(scored: Scored) -> Number:
    if not scored.exclusive:
        return undefined(NOT_EXCLUSIVE)
    if len(scored.outputs) <= TOP:
        return undefined(f"no more than {TOP} classes")
    images = scored.images()
    flaw = images.flaw()
    return undefined(flaw) if flaw else Number(float(in_top(images).mean()))


def in_top(images: Scored) -> Float[np.ndarray, " n"]:
    """Returns 1.0 for images whose class is among the five of the highest scores, otherwise 0.0."""
    highest = np.argsort(images.log_odds, axis=1, kind="stable")[:, -TOP:]
    return (highest == images.classes()[:, None]).any(axis=1).astype(np.float64)
