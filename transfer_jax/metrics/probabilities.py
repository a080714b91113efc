"""Metrics of the probabilities themselves: log loss, Brier score, calibration error.

The probability of a label is the logistic function of its log-odds. Those of the classes of a
multiclass task are divided by their sum, which gives the softmax that the log-odds came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special

from transfer_jax.metrics import over_labels
from transfer_jax.metrics.scored import Counted, Number, Scored, Value, undefined

BINS = 15
NO_PROBABILITIES = "all classes of an image have a probability of zero"
# scikit-learn keeps probabilities this far from 0 and 1.
_LEAST = float(np.finfo(np.float64).eps)
_MOST_LOSS, _LEAST_LOSS = -np.log(_LEAST), -np.log1p(-_LEAST)


class Predicted(NamedTuple):
    """Probabilities of m predictions.

    Attributes:
      probability: Probabilities, [m].
      right: Whether what is predicted is true, [m].
    """

    probability: Float[np.ndarray, " m"]
    right: Bool[np.ndarray, " m"]


class Bins(NamedTuple):
    """Probabilities in bins of equal width.

    Attributes:
      counts: Number of probabilities in each bin.
      confidence: Mean probability of each bin; NaN where it is empty.
      accuracy: Share of each bin's predictions that are true; NaN where it is empty.
    """

    counts: Int[np.ndarray, " k"]
    confidence: Float[np.ndarray, " k"]
    accuracy: Float[np.ndarray, " k"]


def class_log_probabilities(log_odds: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Returns the logarithms of the classes' probabilities, which add up to one.

    Rows with a NaN, or without any class that is possible, are NaN.
    """
    with np.errstate(invalid="ignore"):
        logarithms = special.log_expit(log_odds)
        return logarithms - special.logsumexp(logarithms, axis=1, keepdims=True)


def top_class(images: Scored) -> Predicted:
    """Returns the probability of every image's predicted class, and whether it is the right one.

    Args:
      images: Scores of a multiclass task, all of which count and have a possible class.
    """
    predicted = images.predicted_classes()
    logarithms = class_log_probabilities(images.log_odds)[np.arange(len(predicted)), predicted]
    return Predicted(np.exp(logarithms), predicted == images.classes())


def positive_class(counted: Counted) -> Predicted:
    """Returns the probability of a label for every image, and whether it is true of the image."""
    return Predicted(special.expit(counted.log_odds), counted.positive)


def bins(predicted: Predicted, number: int = BINS) -> Bins:
    """Returns probabilities in bins (i / k, (i + 1) / k]; the first one holds 0, too.

    Args:
      predicted: Probabilities, none of them NaN.
      number: Number of bins.
    """
    where = bin_of(predicted.probability, number)
    counts = np.bincount(where, minlength=number)
    divisors = np.where(counts, counts, np.nan)
    confidence = np.bincount(where, predicted.probability, number) / divisors
    return Bins(counts, confidence, np.bincount(where, predicted.right, number) / divisors)


def bin_of(probability: Float[np.ndarray, " m"], number: int = BINS) -> Int[np.ndarray, " m"]:
    """Returns the bin of every probability, from 0; arguments as those of `bins`."""
    inner = np.linspace(0, 1, number + 1)[1:-1]
    return np.searchsorted(inner, probability, side="left")


def log_loss(scored: Scored) -> list[Value]:
    """Returns the cross-entropy, in nats: per label, or over the classes of a multiclass task.

    The loss of a score lies between -log(1 - e) and -log(e), with e the rounding of float64, as
    in `log_loss` of scikit-learn: a score that is infinitely wrong costs 36.04.
    """
    return _values("log_loss", scored, _log_loss, _categorical_log_loss)


def _log_loss(counted: Counted) -> Number:
    return Number(float(losses(counted).mean()))


def _categorical_log_loss(images: Scored) -> Number:
    return Number(float(class_losses(images).mean()))


def losses(counted: Counted) -> Float[np.ndarray, " m"]:
    """Returns the cross-entropy of every image, for a label."""
    signed = np.where(counted.positive, counted.log_odds, -counted.log_odds)
    return np.clip(-special.log_expit(signed), _LEAST_LOSS, _MOST_LOSS)


def class_losses(images: Scored) -> Float[np.ndarray, " n"]:
    """Returns the cross-entropy of every image over the classes of a multiclass task."""
    logarithms = class_log_probabilities(images.log_odds)
    of_truth = -logarithms[np.arange(len(logarithms)), images.classes()]
    return np.clip(of_truth, _LEAST_LOSS, _MOST_LOSS)


def brier(scored: Scored) -> list[Value]:
    """Returns the Brier score: the mean squared difference of probability and truth.

    For a multiclass task it is the sum over classes, in [0, 2], halved for two classes, as in
    `brier_score_loss` of scikit-learn.

    Source: Brier 1950.
    """
    return _values("brier", scored, _brier, _brier_of_classes)


def _brier(counted: Counted) -> Number:
    return Number(float(squares(counted).mean()))


def _brier_of_classes(images: Scored) -> Number:
    return Number(float(class_squares(images).mean()))


def squares(counted: Counted) -> Float[np.ndarray, " m"]:
    """Returns the squared difference of probability and truth of every image, for a label."""
    return (special.expit(counted.log_odds) - counted.positive) ** 2


def class_squares(images: Scored) -> Float[np.ndarray, " n"]:
    """Returns the squared differences of every image summed over classes, halved for two."""
    probabilities = np.exp(class_log_probabilities(images.log_odds))
    summed = ((probabilities - (images.indicators > 0.5)) ** 2).sum(axis=1)
    return summed / (2 if len(images.outputs) == 2 else 1)


def ece(scored: Scored) -> list[Value]:
    """Returns the expected calibration error, in [0, 1], with 15 bins of equal width.

    ECE = sum over bins of (share of the images in it) * |accuracy - confidence|. For a label these
    are the share of positives and the mean probability; for a multiclass task the accuracy and the
    mean probability of the predicted class.

    Source: Naeini et al. 2015 (labels); Guo et al. 2017 (multiclass).
    """
    return _values(
        "ece",
        scored,
        lambda counted: _ece(positive_class(counted)),
        lambda images: _ece(top_class(images)),
    )


def _ece(predicted: Predicted) -> Number:
    binned = bins(predicted)
    filled = binned.counts > 0
    gaps = np.abs(binned.accuracy - binned.confidence)[filled] * binned.counts[filled]
    return Number(float(gaps.sum() / binned.counts.sum()))


def _values(
    metric: str,
    scored: Scored,
    of_label: Callable[[Counted], Number],
    of_classes: Callable[[Scored], Number],
) -> list[Value]:
    """Returns a number per label, or one number for all classes of a multiclass task."""
    if scored.exclusive:
        images = scored.images()
        flaw = flaw_of_classes(images)
        return [Value(metric, "", *(undefined(flaw) if flaw else of_classes(images)))]
    columns = scored.columns()
    flaws = [column.flaw() for column in columns]
    numbers = [
        undefined(flaw) if flaw else of_label(column)
        for column, flaw in zip(columns, flaws, strict=True)
    ]
    return over_labels.values(metric, scored, numbers)


def flaw_of_classes(images: Scored) -> str:
    """Returns why the classes of these images have no probabilities, in words; "" where they do."""
    if flaw := images.flaw():
        return flaw
    return NO_PROBABILITIES if np.isneginf(images.log_odds).all(axis=1).any() else ""
