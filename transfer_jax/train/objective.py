"""What is minimised: from a network's outputs and a batch's targets to one number and what to report."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Bool, Float

from transfer_jax.losses import classification

# Share of an auxiliary head's loss (Inception-v3), as in TF-slim's and torchvision's training programs.
AUXILIARY = 0.4
PerTarget = Callable[[Float[Array, "b k"], Float[Array, "b t"]], Float[Array, "b t"]]


class Objective(NamedTuple):
    """An objective as functions of (logits [b, k], targets [b, t])."""

    loss: PerTarget
    correct: PerTarget
    scores: Callable[[Float[Array, "b k"]], Float[Array, "b k"]]


def classify(kind: str) -> Objective:
    """Cross-entropy of a "binary", "multilabel" or "multiclass" task."""
    return Objective(
        loss=lambda logits, targets: classification.per_output(kind, logits, targets),
        correct=lambda logits, targets: classification.correct(kind, logits, targets),
        scores=lambda logits: classification.scores(kind, logits),
    )


def masked_mean(values: Float[Array, "b t"], mask: Bool[Array, "b t"]) -> Float[Array, ""]:
    """Mean of the values that count; 0 where none does."""
    weights = mask.astype(values.dtype)
    total = weights.sum()
    return (values * weights).sum() / (total + (total == 0))
