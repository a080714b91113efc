"""Histories, evaluations and predictions of a run in long form: one row per number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from transfer_jax.metrics import scored
from transfer_jax.runs import evaluations, judging, layout, predictions, results
from transfer_jax.settings import Study

if TYPE_CHECKING:
    from transfer_jax.runs.run import Run

Row = dict[str, Any]
EVALUATIONS = (
    "member", "arm", "repeat", "step", "split", "weights", "group", "images", "patients", "label",
    "metric", "value", "reason",
)  # fmt: skip
PREDICTIONS = (
    "member", "arm", "repeat", "split", "weights", "id", "patient", "study", "output", "target",
    "log_odds", "probability",
)  # fmt: skip
# Columns of the history that are no metric.
_FACTS = ("member", "step", "diverged", "auc_labels")


def members(study: Study) -> list[tuple[str, str, int]]:
    """Returns (member, arm, repeat) of every member, repeat by repeat."""
    return [(arm.member(r), arm.name, r) for r in range(study.repeats) for arm in study.arms]


def of_history(run: Run) -> Iterator[Row]:
    """Yields the evaluations during training."""
    for member, arm, repeat in members(run.study):
        for entry in results.of_member(run.entries, member):
            for key, value in entry.items():
                if key in _FACTS:
                    continue
                metric, _, label = key.removeprefix("train_").partition("/")
                yield {
                    "member": member,
                    "arm": arm,
                    "repeat": repeat,
                    "step": entry["step"],
                    "split": "train" if key.startswith("train_") else "val",
                    "weights": "",
                    "group": "",
                    "label": label,
                    "metric": metric,
                    "value": float(value),
                    "reason": "",
                }


def of_end(run: Run) -> Iterator[Row]:
    """Yields the evaluations of a finished study, each with the step of the weights."""
    path = run.check_file(layout.EVALUATIONS)
    if path is None:
        return
    select = run.study.recipe.select
    kept = {
        member: results.kept_evaluations(run.entries, member, select)
        for member, _, _ in members(run.study)
    }
    for row in evaluations.from_csv(path):
        yield row | {"step": kept[row["member"]][row["weights"]]["step"]}


def of_predictions(run: Run) -> Iterator[dict[str, Any]]:
    """Yields columns, per member, split and weights."""
    kind = run.record.data.task
    for member, arm, repeat in members(run.study):
        for split in judging.SPLITS:
            for take in layout.WEIGHTS:
                path = run.predictions_of(member, split, take)
                if path is None:
                    continue
                table = predictions.read(path)
                images, log_odds = table.images, table.log_odds
                rows, outputs = log_odds.shape
                targets, mask = scored.indicators(
                    images.targets, images.mask, outputs, kind == "multiclass"
                )
                yield {
                    "member": member,
                    "arm": arm,
                    "repeat": repeat,
                    "split": split,
                    "weights": take,
                    "id": np.repeat(images.ids, outputs),
                    "patient": np.repeat(images.patients, outputs),
                    "study": np.repeat(images.studies, outputs),
                    "output": np.tile(np.array(table.outputs), rows),
                    "target": np.where(mask, targets, np.nan).reshape(-1),
                    "log_odds": log_odds.reshape(-1),
                    "probability": special.expit(log_odds.astype(np.float64)).reshape(-1),
                }
