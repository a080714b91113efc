"""From the histories of members to one row a member and one summary an arm."""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from transfer_jax.settings import Study
from transfer_jax.train import early_stop

History = list[dict[str, Any]]


class Spread(NamedTuple):
    """Mean and sample standard deviation over repeats; NaN where there are too few."""

    mean: float
    std: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Returns the spread of the values that are finite; callers say how many are not."""
        finite = [value for value in values if math.isfinite(value)]
        mean = statistics.fmean(finite) if finite else math.nan
        return cls(mean, statistics.stdev(finite) if len(finite) > 1 else math.nan)


class Summary(NamedTuple):
    """An arm over its repeats.

    Attributes:
      arm: Name of the arm.
      repeats: Number of repeats.
      counted: Number of repeats that enter the means: those with an AUC that did not diverge.
      diverged: Repeat -> step of the evaluation that found it diverged.
      final: AUC at the last step.
      best: Highest AUC of each repeat's evaluations, which is optimistic: it is chosen on the images
        that it is measured on.
      reached: Number of repeats whose AUC reached the threshold at some evaluation.
      steps: Steps to the threshold, over the repeats that reached it.
    """

    arm: str
    repeats: int
    counted: int
    diverged: Mapping[int, int]
    final: Spread
    best: Spread
    reached: int
    steps: Spread


def steps_to_threshold(history: History, member: str, threshold: float) -> int | None:
    """Returns the first evaluated step whose AUC is at or above the threshold, or None.

    Nothing is interpolated between evaluations. A member that diverges at any time has no such step.
    """
    entries = [entry for entry in history if entry["member"] == member]
    if early_stop.diverged(entries):
        return None
    return next((entry["step"] for entry in entries if entry["auc"] >= threshold), None)


def labels_in_mean(entry: Mapping[str, Any]) -> str:
    """Returns " (13 of 14 labels)" where an evaluation's mean AUC leaves labels out, else ""."""
    labels = sum(key.startswith("auc/") for key in entry)
    counted = entry.get("auc_labels", labels)
    return f" ({counted} of {labels} labels)" if counted < labels else ""


def rows(study: Study, history: History) -> list[dict[str, Any]]:
    """Returns the rows of results.csv, one per member.

    A diverged member has no final AUC (NaN) and no steps to the threshold; its best evaluation is the
    best one before it diverged.
    """
    made = []
    for arm in study.arms:
        for repeat in range(study.repeats):
            own = [entry for entry in history if entry["member"] == arm.member(repeat)]
            diverged_at = early_stop.diverged(own).get(arm.member(repeat))
            measured = [e for e in early_stop.sound(own) if not math.isnan(e["auc"])]
            best = max(measured, key=lambda entry: entry["auc"], default={"auc": math.nan, "step": None})
            made.append(
                {
                    "arm": arm.name,
                    "init": arm.init,
                    "upto": arm.upto or "",
                    "options": " ".join(f"{name}={value}" for name, value in arm.options().items() if name != "upto"),
                    "repeat": repeat,
                    "final_auc": own[-1]["auc"] if diverged_at is None else math.nan,
                    "final_loss": own[-1]["loss"],
                    "best_auc": best["auc"],
                    "best_step": best["step"],
                    "steps_to_threshold": steps_to_threshold(own, arm.member(repeat), study.threshold_auc),
                    "threshold_auc": study.threshold_auc,
                    "steps": own[-1]["step"],
                    "diverged_at": diverged_at,
                }
            )
    return made


def summaries(study: Study, member_rows: list[dict[str, Any]]) -> list[Summary]:
    """Returns one summary per arm, in the study's order."""
    made = []
    for arm in study.arms:
        own = [row for row in member_rows if row["arm"] == arm.name]
        reached = [row["steps_to_threshold"] for row in own if row["steps_to_threshold"] is not None]
        sound = [row for row in own if row["diverged_at"] is None]
        made.append(
            Summary(
                arm.name,
                len(own),
                sum(math.isfinite(row["final_auc"]) for row in sound),
                {row["repeat"]: row["diverged_at"] for row in own if row["diverged_at"] is not None},
                Spread.of(row["final_auc"] for row in sound),
                Spread.of(row["best_auc"] for row in sound),
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
