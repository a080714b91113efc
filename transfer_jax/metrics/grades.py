"""Metrics of ordered classes, such as the grades of a disease."""

from __future__ import annotations

import numpy as np
from scipy import special

from transfer_jax.core.errors import ConfigError
from transfer_jax.metrics.scored import NOT_EXCLUSIVE, Number, Scored, Value, undefined


def referable(scored: Scored, first: int) -> Scored:
    """Returns the scores of a disease of some grade or worse, from the scores of the grades.

    The probability is the sum of the probabilities of the grades from the first on; its log-odds
    are the difference of two log-sums, so that nothing is lost where it is close to 0 or 1.

    Args:
      scored: Scores of a multiclass task whose classes are grades.
      first: First grade that counts, from 1 to the number of grades - 1: 2 for referable diabetic
        retinopathy on the scale 0-4.

    Returns:
      Scores of one output, named "label>=first". Images without any possible grade are NaN.

    Raises:
      ConfigError: The task is not multiclass, or there is no such grade.

    Source: Gulshan et al. 2016, and the "RETINA" task of Raghu et al. 2019 (a network of five
    grades, judged by the AUC of referable ones).
    """
    grades = len(scored.outputs)
    if not scored.exclusive:
        raise ConfigError("referable grades are those of a multiclass task: set task='multiclass'")
    if not 1 <= first < grades:
        raise ConfigError(
            f"referable grades cannot begin at {first}: the label has grades 0 to {grades - 1}, so "
            f"choose 1 to {grades - 1}"
        )
    logarithms = special.log_expit(scored.log_odds)
    with np.errstate(invalid="ignore"):
        referred = special.logsumexp(logarithms[:, first:], axis=1, keepdims=True)
        others = special.logsumexp(logarithms[:, :first], axis=1, keepdims=True)
        log_odds = referred - others
    return Scored(
        log_odds=log_odds,
        indicators=scored.indicators[:, first:].max(axis=1, keepdims=True),
        mask=np.logical_and.reduce(scored.mask, axis=1, keepdims=True),
        outputs=(f"{scored.outputs[first].rpartition('=')[0]}>={first}",),
        exclusive=False,
    )


def kappa(scored: Scored) -> list[Value]:
    """Returns Cohen's kappa of predicted and true classes, weighted quadratically, in [-1, 1].

    It is undefined where truth and prediction are one and the same class throughout.

    Source: Cohen 1968; `cohen_kappa_score(weights="quadratic")` of scikit-learn.
    """
    return [Value("kappa", "", *_kappa(scored))]


def _kappa(scored: Scored) -> Number:
    from sklearn import metrics as sklearn

    if not scored.exclusive:
        return undefined(NOT_EXCLUSIVE)
    images = scored.images()
    if flaw := images.flaw():
        return undefined(flaw)
    classes, predicted = images.classes(), images.predicted_classes()
    if len(np.union1d(classes, predicted)) == 1:
        return undefined("one class only")
    labels = range(len(scored.outputs))
    value = sklearn.cohen_kappa_score(classes, predicted, labels=labels, weights="quadratic")
    return Number(float(value))
