"""From the history of evaluations to one row per member."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError
from transfer_jax.runs import layout, tables
from transfer_jax.settings import Arm, Study
from transfer_jax.train import early_stop

Entry = Mapping[str, Any]
History = Sequence[Entry]

_TYPES: Mapping[str, Callable[[str], Any]] = {
    "member": str,
    "step": int,
    "diverged": tables.boolean,
    "auc_labels": int,
}


def write_history(folder: Path, history: History) -> None:
    """Writes history.csv."""
    files.write(folder / layout.HISTORY, tables.to_csv(history))


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Reads history.csv; returns no entries where the study has not evaluated anything yet.

    Raises:
      ConfigError: The table cannot be read.
    """
    path = folder / layout.HISTORY
    if not path.exists():
        return []
    required = ("member", "step", "auc", "loss", "diverged")
    history = tables.from_csv(path, _TYPES, required)
    for entry in history:
        missing = [column for column in required if column not in entry]
        if missing:
            raise ConfigError(
                f"{path} has a row without {missing[0]}: restore it from a copy, or call the "
                "study's command again"
            )
    return history


def of_member(history: History, member: str) -> list[Entry]:
    """Returns the evaluations of one member, in order."""
    return [entry for entry in history if entry["member"] == member]


def steps_to_threshold(history: History, member: str, threshold: float) -> int | None:
    """Returns the first evaluated step whose AUC is at or above the threshold, or None.

    Nothing is interpolated between evaluations. A member that diverges at any time has no such
    step.
    """
    entries = of_member(history, member)
    if early_stop.diverged(entries):
        return None
    return next((entry["step"] for entry in entries if entry["auc"] >= threshold), None)


def rows(study: Study, history: History) -> list[dict[str, Any]]:
    """Returns the rows of results.csv, one per member that has been evaluated.

    A diverged member has no final AUC (NaN) and no steps to the threshold; its best evaluation is
    the best one before it diverged.
    """
    return [
        _row(study, arm, repeat, entries)
        for arm in study.arms
        for repeat in range(study.repeats)
        if (entries := of_member(history, arm.member(repeat)))
    ]


def _row(study: Study, arm: Arm, repeat: int, entries: list[Entry]) -> dict[str, Any]:
    member = arm.member(repeat)
    diverged_at = early_stop.diverged(entries).get(member)
    measured = [entry for entry in early_stop.sound(entries) if not math.isnan(entry["auc"])]
    best = max(measured, key=lambda entry: entry["auc"], default={"auc": math.nan, "step": None})
    options = (f"{name}={value}" for name, value in arm.options().items() if name != "upto")
    return {
        "arm": arm.name,
        "init": arm.init,
        "upto": arm.upto or "",
        "options": " ".join(options),
        "repeat": repeat,
        "final_auc": entries[-1]["auc"] if diverged_at is None else math.nan,
        "final_loss": entries[-1]["loss"],
        "best_auc": best["auc"],
        "best_step": best["step"],
        "steps_to_threshold": steps_to_threshold(entries, member, study.threshold_auc),
        "threshold_auc": study.threshold_auc,
        "steps": entries[-1]["step"],
        "diverged_at": diverged_at,
    }


def kept_evaluations(history: History, member: str, select: str) -> dict[str, Entry]:
    """Returns which weights of a member are worth keeping, with their evaluation.

    Args:
      history: Evaluations of all members.
      member: Name of the member.
      select: Metric that chooses the best weights, see `Recipe.select`.

    Returns:
      "last" and "best" -> entry of the history. Last weights of a diverged member are useless and
      left out, and so are best weights that are not finite, of a member that began that way.
    """
    entries = of_member(history, member)
    best = taken(history, member, "best", select)
    if not early_stop.diverged(entries):
        return {"last": entries[-1], "best": best}
    return {} if best["diverged"] else {"best": best}


def taken(history: History, member: str, take: str, select: str) -> Entry:
    """Returns the evaluation of the weights that are taken of a member.

    Args:
      history: Evaluations of all members.
      member: Name of the member.
      take: "last" or "best".
      select: See `kept_evaluations`.
    """
    entries = of_member(history, member)
    return early_stop.best(entries, select) if take == "best" else entries[-1]
