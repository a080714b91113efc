"""Curves and tables for figures: ROC, precision and recall, reliability, confusion.

A curve is of one output, by its name. It has no points where it is undefined: without images, with
a NaN among the scores, or without the positives or negatives that it needs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.metrics import decisions, probabilities
from transfer_jax.metrics.probabilities import Predicted
from transfer_jax.metrics.ranking import call_from
from transfer_jax.metrics.scored import Counted, Scored


class Roc(NamedTuple):
    """A ROC curve, from (0, 0) to (1, 1).

    Attributes:
      false_positive_rate: 1 - specificity, [p].
      sensitivity: Share of the positives that are called positive, [p].
      thresholds: Log-odds from which on an image is called positive, [p]; the first is infinite.
    """

    false_positive_rate: Float[np.ndarray, " p"]
    sensitivity: Float[np.ndarray, " p"]
    thresholds: Float[np.ndarray, " p"]


class PrecisionRecall(NamedTuple):
    """Precision over recall, from the lowest threshold to the point of recall 0 and precision 1.

    Attributes:
      precision: Share of positives among what is called positive, [p].
      recall: Share of the positives that are called positive, [p].
      thresholds: Log-odds from which on an image is called positive, [p]; the last is infinite.
    """

    precision: Float[np.ndarray, " p"]
    recall: Float[np.ndarray, " p"]
    thresholds: Float[np.ndarray, " p"]


class Reliability(NamedTuple):
    """How probabilities compare with frequencies, in bins of equal width.

    Attributes:
      centres: Centre of each bin, in [0, 1].
      confidence: Mean probability of each bin; NaN where it is empty.
      accuracy: Share of each bin's predictions that are true; NaN where it is empty.
      counts: Number of predictions in each bin.
    """

    centres: Float[np.ndarray, " k"]
    confidence: Float[np.ndarray, " k"]
    accuracy: Float[np.ndarray, " k"]
    counts: Int[np.ndarray, " k"]


def roc(scored: Scored, output: str = "") -> Roc:
    """Returns the ROC curve of an output; of classes, one against the rest.

    Args:
      scored: The scores.
      output: Name of the output; "" for the only one.

    Raises:
      ConfigError: There is no such output.
    """
    counted = _counted(scored, output)
    if counted.flaw(both=True):
        return Roc(*_EMPTY)
    thresholds, true, false = call_from(counted)
    return Roc(
        np.append(0.0, false / false[-1]),
        np.append(0.0, true / true[-1]),
        np.append(np.inf, thresholds),
    )


def precision_recall(scored: Scored, output: str = "") -> PrecisionRecall:
    """Returns the curve of precision over recall of an output; arguments as those of `roc`."""
    counted = _counted(scored, output)
    if counted.flaw() or not counted.positive.any():
        return PrecisionRecall(*_EMPTY)
    thresholds, true, false = (array[::-1] for array in call_from(counted))
    return PrecisionRecall(
        np.append(true / (true + false), 1.0),
        np.append(true / true[0], 0.0),
        np.append(thresholds, np.inf),
    )


def reliability(scored: Scored, output: str = "", number: int = probabilities.BINS) -> Reliability:
    """Returns the reliability diagram of a label, or of the predicted classes.

    Args:
      scored: The scores.
      output: Name of a label; "" for the only one. "" of a multiclass task compares the probability
        of the predicted class with the accuracy.
      number: Number of bins.

    Raises:
      ConfigError: There is no such output.
    """
    predicted = _predictions(scored, output)
    binned = probabilities.bins(predicted, number)
    edges = np.linspace(0, 1, number + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    return Reliability(centres, binned.confidence, binned.accuracy, binned.counts)


def _predictions(scored: Scored, output: str) -> Predicted:
    """Returns the probabilities of a reliability diagram; none where they are undefined."""
    if output or not scored.exclusive:
        counted = _counted(scored, output)
        return _NONE if counted.flaw() else probabilities.positive_class(counted)
    images = scored.images()
    return _NONE if probabilities.flaw_of_classes(images) else probabilities.top_class(images)


def confusion(scored: Scored, output: str = "") -> Int[np.ndarray, "k k"]:
    """Returns how many images of each true class (row) are predicted to be of each class (column).

    Args:
      scored: The scores.
      output: Name of an output, whose two classes are negative and positive (for classes, one
        against the rest); "" for the only one, or for all classes of a multiclass task.

    Returns:
      Counts, [k, k]; zeros where there is nothing to decide on.

    Raises:
      ConfigError: There is no such output.
    """
    if output or not scored.exclusive:
        counts = decisions.count(scored)[_position(scored, output)]
        negatives = [counts.true_negatives, counts.false_positives]
        return np.array([negatives, [counts.false_negatives, counts.true_positives]])
    images, classes = scored.images(), len(scored.outputs)
    matrix = np.zeros((classes, classes), int)
    if not images.flaw():
        np.add.at(matrix, (images.classes(), images.predicted_classes()), 1)
    return matrix


_EMPTY = (np.zeros(0), np.zeros(0), np.zeros(0))
_NONE = Predicted(np.zeros(0), np.zeros(0, bool))


def _position(scored: Scored, output: str) -> int:
    if output in scored.outputs:
        return scored.outputs.index(output)
    if output or len(scored.outputs) > 1:
        raise ConfigError(f"no output {output!r}: {nearest(output, scored.outputs)}")
    return 0


def _counted(scored: Scored, output: str) -> Counted:
    return scored.column(_position(scored, output))
