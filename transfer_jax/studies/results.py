"""From the histories of members to one row a member and one summary an arm."""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from transfer_jax.settings import Study

History = list[dict[str, Any]]


class Spread(NamedTuple):
    """Mean and sample standard deviation over repeats; NaN where there are too few."""

    mean: float
    std: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of some numbers."""
        values = list(values)
        mean = statistics.fmean(values) if values else math.nan
        return cls(mean, statistics.stdev(values) if len(values) > 1 else math.nan)


class Summary(NamedTuple):
    """An arm over its repeats.

    Attributes:
      arm: its name.
      repeats: how many.
      final: AUC at the last step.
      best: the highest AUC of each repeat's evaluations (chosen on the images it is measured on: optimistic).
      reached: repeats whose AUC reached the threshold at some evaluation.
      steps: steps to the threshold, over the repeats that reached it.
    """

    arm: str
    repeats: int
    final: Spread
    best: Spread
    reached: int
    steps: Spread


def steps_to_threshold(history: History, member: str, threshold: float) -> int | None:
    """The first evaluated step whose AUC is at or above the threshold; no interpolation between evaluations."""
    return next((entry["step"] for entry in history if entry["member"] == member and entry["auc"] >= threshold), None)


def rows(study: Study, history: History) -> list[dict[str, Any]]:
    """One row a member."""
    made = []
    for arm in study.arms:
        for repeat in range(study.repeats):
            own = [entry for entry in history if entry["member"] == arm.member(repeat)]
            best = max(own, key=lambda entry: entry["auc"])
            made.append(
                {
                    "arm": arm.name,
                    "init": arm.init,
                    "upto": arm.upto or "",
                    "options": " ".join(f"{name}={value}" for name, value in arm.options().items() if name != "upto"),
                    "repeat": repeat,
                    "final_auc": own[-1]["auc"],
                    "final_loss": own[-1]["loss"],
                    "best_auc": best["auc"],
                    "best_step": best["step"],
                    "steps_to_threshold": steps_to_threshold(own, arm.member(repeat), study.threshold_auc),
                    "threshold_auc": study.threshold_auc,
                    "steps": own[-1]["step"],
                }
            )
    return made


def summaries(study: Study, member_rows: list[dict[str, Any]]) -> list[Summary]:
    """One summary an arm, in the study's order."""
    made = []
    for arm in study.arms:
        own = [row for row in member_rows if row["arm"] == arm.name]
        reached = [row["steps_to_threshold"] for row in own if row["steps_to_threshold"] is not None]
        made.append(
            Summary(
                arm.name,
                len(own),
                Spread.of(row["final_auc"] for row in own),
                Spread.of(row["best_auc"] for row in own),
                len(reached),
                Spread.of(reached),
            )
        )
    return made


def to_csv(table: list[dict[str, Any]]) -> str:
    """Dicts as CSV with a header of all keys, in the order of their first appearance."""
    keys: Mapping[str, None] = dict.fromkeys(key for row in table for key in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(keys), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()
