"""What is minimised: from a network's outputs and a batch's targets to one number and what to report."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Array, Float

from transfer_jax.losses import classification

# Share of an auxiliary head's loss (Inception-v3), as in TF-slim's and torchvision's training programs.
AUXILIARY = 0.4
PerTarget = Callable[[Float[Array, "b k"], Float[Array, "b t"]], Float[Array, "b t"]]


class Objective(NamedTuple):
    """An objective as functions of (logits [b, k], targets [b, t]); scores are log-odds."""

    loss: PerTarget
    correct: PerTarget
    scores: Callable[[Float[Array, "b k"]], Float[Array, "b s"]]


def classify(kind: str, widths: Sequence[int] = ()) -> Objective:
    """Cross-entropy of a "binary", "multilabel" or "multiclass" task; `widths` as in `losses.classification`."""
    return Objective(
        loss=lambda logits, targets: classification.per_output(kind, logits, targets, widths),
        correct=lambda logits, targets: classification.correct(kind, logits, targets, widths),
        scores=lambda logits: classification.scores(kind, logits, widths),
    )


def weighted_mean(values: Float[Array, "b t"], weights: Float[Array, "b t"]) -> Float[Array, ""]:
    """Weighted sum of the values over the number of those that count, whose weight is not zero; 0 where none does.

    Weights whose mean over a data set is one leave the mean loss as it is, whatever the batch holds (as `class_weight` of Keras).
    """
    count = (weights != 0).sum().astype(values.dtype)
    return (values * weights).sum() / (count + (count == 0))
