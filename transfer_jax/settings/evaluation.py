"""How finished members are judged on validation and test images."""

from __future__ import annotations

import dataclasses

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import one_of
from transfer_jax.core.ranges import PositiveInt
from transfer_jax.settings.grouping import Grouping

THRESHOLDS = ("half", "youden", "validation")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How finished members are judged; metrics are named in `Study.metrics`.

    Attributes:
      threshold: From which probability on a label is called positive, for the metrics that need a
        decision: "half" (0.5), "youden" (where sensitivity + specificity is highest on the judged
        images themselves, which is optimistic), or "validation" (where it is highest on the
        validation images).
      groups: Columns that tools.prepare kept, by which every metric is reported: "sex", or
        "age:40,60" for the bands below 40, from 40 to below 60, and from 60 on.
      smallest_group: Number of images below which a group is counted and not judged.
      per_study: Whether a study (a visit of a patient) is judged by the highest probability of its
        images instead of every image by its own, as in CheXpert.
      resamples: Number of bootstrap resamples of the patients behind an interval.
    """

    threshold: str = THRESHOLDS[0]
    groups: tuple[str, ...] = ()
    smallest_group: PositiveInt = 20
    per_study: bool = False
    resamples: PositiveInt = 2000

    def check(self, kind: str, prefix: str = "config.evaluation.") -> None:
        """Raises ConfigError where an option does not fit the others or a kind of task.

        Args:
          kind: "binary", "multilabel" or "multiclass".
          prefix: What stands before the name of an option, for messages.
        """
        one_of(f"{prefix}threshold", self.threshold, THRESHOLDS)
        for grouping in self.groups:
            Grouping.parse(grouping)
        if kind != "multiclass":
            return
        if self.per_study:
            raise ConfigError(
                f"{prefix}per_study takes the highest probability of a label over the images of a "
                "study, which is no probability of a class: take it out, or predict labels"
            )
        if self.threshold != THRESHOLDS[0]:
            raise ConfigError(
                f"{prefix}threshold is read for labels; of several classes the most probable one "
                "is predicted: take it out"
            )
