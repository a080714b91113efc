"""Metrics as functions of the weights of the images, for the bootstrap: many weightings at once.

Every metric of the registry but those of a distribution of scores is a formula of weighted sums, so
that 2,000 resamples are a product of matrices. Weights of 1 give what `metrics.measure` gives.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from transfer_jax.metrics import decisions, probabilities
from transfer_jax.metrics.probabilities import BINS, Predicted
from transfer_jax.metrics.scored import Counted, Scored
from transfer_jax.stats import bootstrap, weighted_auc
from transfer_jax.stats.bootstrap import Statistic

_Counts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def statistic(metric: str, scored: Scored, label: str) -> Statistic | None:
    """Returns a metric as a function of weights.

    Args:
      metric: Name of a metric in the registry.
      scored: Scores of n images.
      label: An output; "" for the number over all labels.

    Returns:
      Weights [n, r] -> values [r]; None for a metric that is no such function, or has no such
      number.
    """
    if label:
        if label not in scored.outputs:
            return None
        return _of_column(metric, scored, scored.outputs.index(label))
    if scored.exclusive and metric in _OF_CLASSES:
        finite = np.isfinite(scored.log_odds[scored.mask]).all()
        return _OF_CLASSES[metric](scored) if finite else None
    columns = [_of_column(metric, scored, i) for i in range(len(scored.outputs))]
    # The mean is over the labels that all images define, in every resample.
    whole = np.ones((len(scored.log_odds), 1))
    defined = [one for one in columns if one is not None and np.isfinite(one(whole)[0])]
    return mean_of_all(defined) if defined else None


def mean_of_all(statistics: list[Statistic]) -> Statistic:
    """Returns the mean of several statistics of the same rows."""
    return lambda weights: np.mean([each(weights) for each in statistics], axis=0)


def _of_column(metric: str, scored: Scored, column: int) -> Statistic | None:
    counted = scored.mask[:, column]
    positive = scored.indicators[:, column] > 0.5
    log_odds = scored.log_odds[:, column]
    if not np.isfinite(log_odds[counted]).all():
        return None
    if metric == "auc":
        return weighted_auc.statistic(log_odds, positive, counted)
    if metric == "average_precision":
        return _average_precision(log_odds, positive, counted)
    if metric in _OF_COUNTS:
        formula = _OF_COUNTS[metric]
        if scored.exclusive:
            called = scored.log_odds.argmax(1) == column
        else:
            called = log_odds >= scored.thresholds[column]
        cells = np.stack([positive & called, ~positive & called, ~positive & ~called])
        cells = np.concatenate([cells, (positive & ~called)[None]])
        indicator = (cells & counted).astype(np.float64)
        return lambda weights: formula(tuple(indicator @ weights))
    every = Counted(log_odds, positive)
    if metric in _OF_IMAGES:
        return bootstrap.mean_of(np.where(counted, _OF_IMAGES[metric](every), np.nan))
    if metric == "ece":
        return _calibration_error(probabilities.positive_class(every), counted)
    return None


# Numbers of every image for a label, of which a metric is the mean.
_OF_IMAGES: dict[str, Callable[[Counted], np.ndarray]] = {
    "log_loss": probabilities.losses,
    "brier": probabilities.squares,
}


def _divided(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return numerator / denominator


def _sensitivity(counts: _Counts) -> np.ndarray:
    tp, _, _, fn = counts
    return _divided(tp, tp + fn)


def _specificity(counts: _Counts) -> np.ndarray:
    _, fp, tn, _ = counts
    return _divided(tn, tn + fp)


# Formulas of (true positives, false positives, true negatives, false negatives), each [r].
_OF_COUNTS: dict[str, Callable[[_Counts], np.ndarray]] = {
    "accuracy": lambda c: _divided(c[0] + c[2], c[0] + c[1] + c[2] + c[3]),
    "balanced_accuracy": lambda c: (_sensitivity(c) + _specificity(c)) / 2,
    "precision": lambda c: _divided(c[0], c[0] + c[1]),
    "recall": _sensitivity,
    "sensitivity": _sensitivity,
    "specificity": _specificity,
    "f1": lambda c: _divided(2 * c[0], 2 * c[0] + c[1] + c[3]),
}


def _average_precision(scores: np.ndarray, positive: np.ndarray, counted: np.ndarray) -> Statistic:
    rows = np.flatnonzero(counted)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    last_of_tie = np.flatnonzero(np.append(np.diff(scores[rows]) != 0, True))
    is_positive = positive[rows].astype(np.float64)[:, None]

    def value(weights: np.ndarray) -> np.ndarray:
        ordered = weights[rows]
        called = np.cumsum(ordered, axis=0)[last_of_tie]
        true = np.cumsum(ordered * is_positive, axis=0)[last_of_tie]
        # Images of weight 0 before the first of any weight are called by no threshold.
        precision = np.where(called > 0, _divided(true, called), 0.0)
        steps = np.diff(true, axis=0, prepend=0.0)
        return _divided((steps * precision).sum(0), true[-1])

    return value


def _calibration_error(predicted: Predicted, counted: np.ndarray) -> Statistic:
    """Returns the mean distance of probability and accuracy over the bins, see `metrics.ece`."""
    bins = probabilities.bin_of(predicted.probability)
    in_bin = ((bins == np.arange(BINS)[:, None]) & counted).astype(np.float64)
    apart = in_bin * (predicted.probability - predicted.right)
    every = counted.astype(np.float64)
    return lambda weights: _divided(np.abs(apart @ weights).sum(0), every @ weights)


def _classes(scored: Scored) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the class of every image, its predicted class, and whether it counts."""
    return scored.classes(), scored.predicted_classes(), np.all(scored.mask, axis=1)


def _class_balanced_accuracy(scored: Scored) -> Statistic:
    true, predicted, counted = _classes(scored)
    present = np.unique(true[counted])
    in_class = ((true == present[:, None]) & counted).astype(np.float64)
    right = in_class * (true == predicted)
    return lambda weights: _divided(right @ weights, in_class @ weights).mean(0)


def _class_calibration_error(scored: Scored) -> Statistic:
    return _calibration_error(probabilities.top_class(scored), np.all(scored.mask, axis=1))


def _of_whole_images(values: Callable[[Scored], np.ndarray]) -> Callable[[Scored], Statistic]:
    """Returns the mean of numbers of every image, [n], over the images that count whole."""

    def mean(scored: Scored) -> Statistic:
        return bootstrap.mean_of(np.where(scored.mask.all(1), values(scored), np.nan))

    return mean


def _right(scored: Scored) -> np.ndarray:
    return (scored.classes() == scored.predicted_classes()).astype(np.float64)


def _class_kappa(scored: Scored) -> Statistic:
    true, predicted, counted = _classes(scored)
    classes = scored.log_odds.shape[1]
    grades = np.arange(classes)
    is_true = ((true == grades[:, None]) & counted).astype(np.float64)
    is_predicted = ((predicted == grades[:, None]) & counted).astype(np.float64)
    distances = (grades[:, None] - grades) ** 2.0
    apart = np.where(counted, (true - predicted) ** 2.0, 0.0)

    def value(weights: np.ndarray) -> np.ndarray:
        by_true, by_predicted = is_true @ weights, is_predicted @ weights
        expected = np.einsum("ir,ij,jr->r", by_true, distances, by_predicted)
        return 1 - _divided((apart @ weights) * by_true.sum(0), expected)

    return value


# Numbers over all classes that are no mean over classes.
_OF_CLASSES: dict[str, Callable[[Scored], Statistic]] = {
    "accuracy": _of_whole_images(_right),
    "balanced_accuracy": _class_balanced_accuracy,
    "log_loss": _of_whole_images(probabilities.class_losses),
    "brier": _of_whole_images(probabilities.class_squares),
    "ece": _class_calibration_error,
    "top5": _of_whole_images(decisions.in_top),
    "kappa": _class_kappa,
}
