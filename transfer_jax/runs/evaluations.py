"""Every metric of every split, group and label, from stored predictions alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax import metrics
from transfer_jax.core import files
from transfer_jax.runs import layout, tables
from transfer_jax.runs.judging import Judged, Rule, Stored
from transfer_jax.settings import Study
from transfer_jax.settings.grouping import Grouping

Row = dict[str, Any]


def of_run(stored: Sequence[Stored], study: Study, rule: Rule, dataset: str) -> list[Row]:
    """Returns the rows of evaluations.csv.

    Args:
      stored: What the members predicted.
      study: The study.
      rule: How it judges its members.
      dataset: Name of its data set, for messages.

    Returns:
      A row per member, split, weights, group, label and metric, see `of_scored`.

    Raises:
      ConfigError: There is no column to group by.
    """
    arms, rows = {arm.name: arm for arm in study.arms}, []
    for arm, repeat, split, take, judged in stored:
        common = {"member": arms[arm].member(repeat), "arm": arm, "repeat": repeat}
        common |= {"split": split, "weights": take}
        measured = of_scored(judged, rule, f"{split} images of {dataset}")
        rows += [common | row for row in measured]
    return rows


def of_scored(judged: Judged, rule: Rule, where: str) -> list[Row]:
    """Returns every metric of all images and of every group.

    Args:
      judged: The scores.
      rule: How they are judged.
      where: What the images are, for messages.

    Returns:
      A row per group, label and metric: "group" ("" for all images), "images" and "patients" in
      it, "label" ("" over all labels), "metric", "value", and "reason" where the value is NaN. A
      group that is too small has one row, of the metric "auc", that says so.

    Raises:
      ConfigError: There is no column to group by.
    """
    rows = _rows("", judged, np.ones(len(judged.patients), bool), rule)
    for group_of in groups_of(judged, rule, where).values():
        for group in sorted(set(group_of.tolist()) - {""}):
            rows += _rows(group, judged, group_of == group, rule)
    return rows


def groups_of(judged: Judged, rule: Rule, where: str) -> dict[str, np.ndarray]:
    """Returns column -> the group of every row, "" where it is not known.

    Raises:
      ConfigError: There is no such column.
    """
    groupings = map(Grouping.parse, rule.settings.groups)
    return {each.column: each.assign(judged.columns, where) for each in groupings}


def _rows(group: str, judged: Judged, chosen: np.ndarray, rule: Rule) -> list[Row]:
    count = int(chosen.sum())
    sizes = {"images": count, "patients": len(np.unique(judged.patients[chosen]))}
    common = {"group": group, **sizes}
    smallest = rule.settings.smallest_group
    if group and count < smallest:
        reason = f"fewer than {smallest} images"
        return [common | {"label": "", "metric": "auc", "value": np.nan, "reason": reason}]
    scored = judged.scored.take(np.flatnonzero(chosen))
    return [
        common | value._asdict() for value in metrics.measure(scored, rule.metrics, rule.referable)
    ]


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Writes evaluations.csv."""
    files.write(folder / layout.EVALUATIONS, tables.to_csv(rows))


def from_csv(path: Path) -> list[Row]:
    """Reads evaluations.csv; every row has all columns.

    Raises:
      ConfigError: The table is missing or cannot be read.
    """
    types: dict[str, Callable[[str], Any]] = dict.fromkeys(("repeat", "images", "patients"), int)
    texts: dict[str, Callable[[str], Any]] = dict.fromkeys(
        ("member", "arm", "split", "weights", "group"), str
    )
    texts |= dict.fromkeys(("label", "metric", "reason"), str)
    required = (*texts, *types, "value")
    rows = tables.from_csv(path, texts | types, required)
    return [{"group": "", "label": "", "reason": ""} | row for row in rows]
