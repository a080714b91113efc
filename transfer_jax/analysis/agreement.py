"""Whether two networks make the same mistakes: agreement of their predictions.

Beside it stands the agreement that independent mistakes would give.

Source: Mania et al., "Model similarity mitigates test set overuse", NeurIPS 2019; Juodelyte et al.
2023, section 3.2, equation 2. (The published code of the latter takes the first network's accuracy
twice for the independent level; its text, which is followed here, takes both.)
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from transfer_jax.core.errors import AnalysisError

Scores = Float[np.ndarray, "n s"]


class Agreement(NamedTuple):
    """How two networks' predictions of one label agree.

    Shares are of the images that count, NaN where there are none.

    Attributes:
      images: Number of images that count.
      accuracy_a: Accuracy of the first network.
      accuracy_b: Accuracy of the second network.
      similarity: Share on which both are right or both are wrong (prediction similarity), in [0,
        1].
      independent: Similarity of two networks of these accuracies whose mistakes are independent,
        a1 a2 + (1 - a1)(1 - a2).
      kappa: (similarity - independent) / (1 - independent), Cohen's kappa of being right: 0 for
        independent mistakes and 1 for the same ones; NaN where both are always right or both
        always wrong. Source: "error consistency", Geirhos, Meding, Wichmann, NeurIPS 2020.
    """

    images: int
    accuracy_a: float
    accuracy_b: float
    similarity: float
    independent: float
    kappa: float


def right(kind: str, scores: Scores, targets: Float[np.ndarray, "n t"]) -> Bool[np.ndarray, "n t"]:
    """Returns where predictions are right.

    Args:
      kind: Kind of the task. "multiclass" predicts the class of the highest score; "binary" and
        "multilabel" predict a label where its score is above 0.5.
      scores: Probabilities, of every class for "multiclass", otherwise of every label (s = t).
      targets: A class index (t = 1) for "multiclass", otherwise 0 or 1.

    Raises:
      AnalysisError: The scores hold NaN, or have one column for several classes or labels.
    """
    if np.isnan(scores).any():
        raise AnalysisError("the predictions hold NaN: the training of that network has diverged")
    if kind == "multiclass":
        return scores.argmax(1)[:, None] == targets
    if scores.shape[1] != targets.shape[1]:
        raise AnalysisError(
            f"predictions of {scores.shape[1]} labels cannot be held against {targets.shape[1]}"
        )
    return (scores > 0.5) == (targets > 0.5)


def compare(
    kind: str,
    first: Scores,
    second: Scores,
    targets: Float[np.ndarray, "n t"],
    counted: Bool[np.ndarray, "n t"] | None = None,
) -> tuple[Agreement, ...]:
    """Compares the predictions of two networks for the same images, label by label.

    Args:
      kind: Kind of the task, see `right`.
      first: Probabilities of the first network.
      second: Probabilities of the second network.
      targets: Targets of the images, see `right`.
      counted: False where the label of an image is unknown; all count where None.

    Returns:
      One agreement per label.

    Raises:
      AnalysisError: No label of any image counts, or see `right`.
    """
    mask = np.ones(targets.shape, bool) if counted is None else counted
    if not mask.any():
        raise AnalysisError("no image has a label that counts: there are no predictions to compare")
    first_right, second_right = right(kind, first, targets), right(kind, second, targets)
    return tuple(
        _agreement(first_right[mask[:, i], i], second_right[mask[:, i], i])
        for i in range(targets.shape[1])
    )


def _agreement(first_right: np.ndarray, second_right: np.ndarray) -> Agreement:
    if not len(first_right):
        return Agreement(0, *[math.nan] * 5)
    a, b, similarity = (
        float(first_right.mean()),
        float(second_right.mean()),
        float((first_right == second_right).mean()),
    )
    independent = a * b + (1 - a) * (1 - b)
    return Agreement(
        len(first_right),
        a,
        b,
        similarity,
        independent,
        (similarity - independent) / (1 - independent) if independent < 1 else math.nan,
    )
