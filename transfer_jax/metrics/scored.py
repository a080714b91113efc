"""Scores of all images beside what is true of them: what every metric is computed from."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

# Why a metric has no value, in words.
NO_IMAGES = "no images"
NO_POSITIVES = "no positives"
NO_NEGATIVES = "no negatives"
NOT_A_NUMBER = "a score is NaN"
NOT_EXCLUSIVE = "not a multiclass task"


class Number(NamedTuple):
    """A number that may be undefined.

    Attributes:
      value: The number; NaN where it is undefined.
      reason: Why it is undefined, in words; "" where it is defined.
    """

    value: float
    reason: str = ""


def undefined(reason: str) -> Number:
    """Returns NaN with its reason."""
    return Number(float("nan"), reason)


class Value(NamedTuple):
    """A number that a metric gives.

    Attributes:
      metric: Name of the number, such as "auc" or "auc_weighted".
      label: Name of the output that it belongs to; "" for a number over all outputs.
      value: The number; NaN where it is undefined.
      reason: Why it is undefined, in words; "" where it is defined.
    """

    metric: str
    label: str
    value: float
    reason: str


class Counted(NamedTuple):
    """The m scores of one output that count.

    Attributes:
      log_odds: Scores, [m].
      positive: Whether the output is true of the image, [m].
    """

    log_odds: Float[np.ndarray, " m"]
    positive: Bool[np.ndarray, " m"]

    def flaw(self, *, both: bool = False) -> str:
        """Returns why nothing can be said of these scores, in words; "" where something can.

        Args:
          both: Whether positives and negatives are needed.
        """
        if not len(self.positive):
            return NO_IMAGES
        if np.isnan(self.log_odds).any():
            return NOT_A_NUMBER
        if both and not self.positive.any():
            return NO_POSITIVES
        return NO_NEGATIVES if both and self.positive.all() else ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Scores of n images for s outputs, and what is true of the images, on the host.

    Numbers are held as float64, whatever their precision.

    Attributes:
      log_odds: Scores, [n, s]: log-odds of every label or class; NaN and infinities may occur.
      indicators: Whether each output is true of each image, [n, s]: above 0.5 is positive.
      mask: Which scores count, [n, s].
      outputs: Name of every column: a label, or "label=class" of a multiclass task.
      exclusive: Whether the columns are the classes of a multiclass task, of which exactly one is
        true of an image. The predicted class is the one of the highest score.
      thresholds: Log-odds from which on an output is called positive, [s]; 0 is a probability of
        one half (the default). NaN where there is no threshold. Exclusive columns need none.

    Raises:
      ValueError: The shapes do not fit together.
    """

    log_odds: Float[np.ndarray, "n s"]
    indicators: Float[np.ndarray, "n s"]
    mask: Bool[np.ndarray, "n s"]
    outputs: tuple[str, ...]
    exclusive: bool
    thresholds: Float[np.ndarray, " s"] = dataclasses.field(default_factory=lambda: np.zeros(1))

    def __post_init__(self) -> None:
        """Converts the arrays, and checks that they fit together."""
        outputs = tuple(str(name) for name in self.outputs)
        arrays = {
            "log_odds": np.asarray(self.log_odds, np.float64),
            "indicators": np.asarray(self.indicators, np.float64),
            "mask": np.asarray(self.mask, bool),
        }
        shapes = {array.shape for array in arrays.values()}
        if shapes != {(len(arrays["mask"]), len(outputs))} or not outputs:
            raise ValueError(f"arrays of shapes {shapes} do not fit {len(outputs)} outputs")
        thresholds = np.broadcast_to(np.asarray(self.thresholds, np.float64), len(outputs))
        for name, value in {**arrays, "outputs": outputs, "thresholds": thresholds}.items():
            object.__setattr__(self, name, value)

    def take(self, rows: Shaped[np.ndarray, " m"]) -> Scored:
        """Returns some of the images: a group, or a bootstrap sample.

        Args:
          rows: Positions of the images, which may repeat, or a boolean per image.
        """
        return dataclasses.replace(
            self,
            log_odds=self.log_odds[rows],
            indicators=self.indicators[rows],
            mask=self.mask[rows],
        )

    def column(self, index: int) -> Counted:
        """Returns the scores of one output that count."""
        counts = self.mask[:, index]
        return Counted(self.log_odds[counts, index], self.indicators[counts, index] > 0.5)

    def flaw(self) -> str:
        """Returns why nothing can be said of these images whole, in words; "" where it can."""
        if not len(self.mask):
            return NO_IMAGES
        return NOT_A_NUMBER if np.isnan(self.log_odds).any() else ""

    def columns(self) -> list[Counted]:
        """Returns the scores that count, output by output."""
        return [self.column(i) for i in range(len(self.outputs))]

    def pooled(self) -> Counted:
        """Returns the scores of all outputs that count, as if they were of one output."""
        return Counted(self.log_odds[self.mask], self.indicators[self.mask] > 0.5)

    def images(self) -> Scored:
        """Returns the images that count whole, for numbers that compare classes with each other."""
        return self.take(np.logical_and.reduce(self.mask, axis=1))

    def classes(self) -> Int[np.ndarray, " n"]:
        """Returns the class of every image; of an exclusive task only."""
        return np.argmax(self.indicators, axis=1)

    def predicted_classes(self) -> Int[np.ndarray, " n"]:
        """Returns the class of the highest score of every image, the first of several."""
        return np.argmax(self.log_odds, axis=1)


def indicators(
    targets: Float[np.ndarray, "n t"], mask: Bool[np.ndarray, "n t"], outputs: int, exclusive: bool
) -> tuple[Float[np.ndarray, "n s"], Bool[np.ndarray, "n s"]]:
    """Returns whether each output is true of each image, and whether that counts.

    Args:
      targets: Targets of n images: 0, 1 or a probability per output; the index of the class, in one
        column, for exclusive outputs.
      mask: True for the targets that count.
      outputs: Number of outputs, s.
      exclusive: Whether the outputs are the classes of a multiclass task.

    Returns:
      Indicators (above 0.5 is positive) and their mask, one column per output.
    """
    if not exclusive:
        return targets, mask
    is_class = (targets == np.arange(outputs)).astype(targets.dtype)
    return is_class, np.broadcast_to(mask, is_class.shape)
