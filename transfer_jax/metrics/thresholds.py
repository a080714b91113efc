"""Thresholds from which on a label is called positive, as log-odds per output.

They are chosen on validation images and applied to others, with
`dataclasses.replace(scored, thresholds=...)`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from transfer_jax.metrics.ranking import call_from
from transfer_jax.metrics.scored import Counted, Scored


def half(scored: Scored) -> Float[np.ndarray, " s"]:
    """Returns zeros: the log-odds of a probability of one half."""
    return np.zeros(len(scored.outputs))


def youden(scored: Scored) -> Float[np.ndarray, " s"]:
    """Returns, per output, the score at which sensitivity + specificity is largest.

    Of several such scores it is the highest. It is NaN for an output without positives, without
    negatives, or with a NaN among its scores; decisions with that threshold are undefined, too.

    Source: Youden 1950.
    """
    return np.array([_youden(column) for column in scored.columns()])


def _youden(counted: Counted) -> float:
    if counted.flaw(both=True):
        return float("nan")
    called = call_from(counted)
    true, false = called.true_positives, called.false_positives
    # Youden's index times both numbers of images: whole, so that ties are ties.
    index = true * false[-1] - false * true[-1]
    return float(called.thresholds[np.argmax(index)])
