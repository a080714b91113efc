"""Arms over their repeats: means, spreads, intervals by patient, and differences between arms.

Two kinds of uncertainty stand side by side. The standard deviation over repeats is that of training
(fresh weights, batches, folds); the bootstrap interval is that of the patients who were judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core import files
from transfer_jax.runs import evaluations, judging, layout, tables
from transfer_jax.runs.arm_statistics import ArmStatistics, Key
from transfer_jax.runs.judging import Judged, Rule, Stored
from transfer_jax.runs.record import DataFacts
from transfer_jax.settings import Study
from transfer_jax.stats import multiplicity
from transfer_jax.stats.intervals import Spread

Row = dict[str, Any]
_OF_GAPS = ("highest", "lowest")
GAP = "_gap"  # the end of the name of a largest gap between groups


def write_run(folder: Path, study: Study, data: DataFacts) -> None:
    """Writes evaluations.csv and summary.csv, from the predictions in a run folder.

    Raises:
      ConfigError: A table of predictions is damaged, or has no column to group by.
    """
    rule = Rule.of(study, data)
    stored = judging.of_run(folder, study, rule)
    measured = evaluations.of_run(stored, study, rule, data.name)
    evaluations.write(folder, measured)
    write(folder, of_run(stored, measured, rule, study.arms[0].name, data.name))


def of_run(
    stored: Sequence[Stored], measured: Sequence[Row], rule: Rule, first: str, dataset: str
) -> list[Row]:
    """Returns the rows of summary.csv.

    Args:
      stored: What the members of the study predicted.
      measured: Rows of evaluations.csv, made of the same.
      rule: How the study judges its members.
      first: Name of its first arm, which the others are compared with.
      dataset: Name of its data set, for messages.

    Returns:
      A row per arm, split, weights, group, label and metric, see `of_arm`, with "p_holm", the
      p-value adjusted for all differences that stand in one table: those of the same split,
      weights, group and metric.
    """
    judged: dict[tuple[str, str], dict[str, dict[int, Judged]]] = {}
    for arm, repeat, split, take, one in stored:
        judged.setdefault((split, take), {}).setdefault(arm, {})[repeat] = one
    values: dict[tuple[str, str, str], list[Row]] = {}
    for row in measured:
        values.setdefault((row["split"], row["weights"], row["arm"]), []).append(row)
    rows = []
    for (split, take), by_arm in judged.items():
        where = f"{split} images of {dataset}"
        arms = {arm: ArmStatistics(repeats, rule, where) for arm, repeats in by_arm.items()}
        table: list[Row] = []
        for arm, statistics in arms.items():
            others = None if arm == first else arms.get(first)
            common = {"arm": arm, "split": split, "weights": take}
            summed = _summarised(values[split, take, arm], statistics, others)
            table += [common | row for row in summed]
        rows += _adjusted(table)
    return rows


def of_arm(
    repeats: Mapping[int, Judged],
    rule: Rule,
    where: str,
    reference: Mapping[int, Judged] | None = None,
) -> list[Row]:
    """Summarises an arm over its repeats.

    Args:
      repeats: Repeat -> what is judged of it.
      rule: How it is judged.
      where: What the images are, for messages.
      reference: The same of the arm to compare with; None for no comparison.

    Returns:
      A row per group, label and metric: "images" and "patients" of the first repeat, "repeats" with
      a value, "mean" and "std" over them, "low" and "high" (bootstrap by patient), "difference"
      from the reference with "difference_low" and "difference_high" (bootstrap by patient) and
      "repeats_low" and "repeats_high" (Student's t over repeats), "p" (of Student's t; of one
      repeat, of DeLong's test of an AUC), and "reason" where something is NaN.

      Then a row per column to group by and metric over all labels, of the largest gap between its
      groups: "group" is the column alone ("sex"), "metric" ends in "_gap" ("auc_gap"), "images" and
      "patients" are those of the groups that are judged, "mean" is the gap between the means over
      repeats, "low" and "high" are as `stats.subgroups` computes them, and "highest" and "lowest"
      name the two groups.
    """
    measured = [
        {"repeat": repeat} | row
        for repeat, judged in repeats.items()
        for row in evaluations.of_scored(judged, rule, where)
    ]
    others = None if reference is None else ArmStatistics(reference, rule, where)
    return _summarised(measured, ArmStatistics(repeats, rule, where), others)


def _summarised(
    measured: Sequence[Row], statistics: ArmStatistics, others: ArmStatistics | None
) -> list[Row]:
    values: dict[Key, dict[int, float]] = {}
    sizes: dict[Key, Row] = {}
    for row in measured:
        key = Key(row["group"], row["label"], row["metric"])
        values.setdefault(key, {})[row["repeat"]] = row["value"]
        sizes.setdefault(key, {name: row[name] for name in ("images", "patients", "reason")})
    intervals = statistics.intervals(list(values))
    differences = {} if others is None else statistics.differences(list(values), others)
    rows = []
    for key, by_repeat in values.items():
        spread, seen = Spread.of(by_repeat.values()), intervals.get(key)
        row = key._asdict() | {name: sizes[key][name] for name in ("images", "patients")}
        row |= {"repeats": sum(map(math.isfinite, by_repeat.values()))}
        row |= {"mean": spread.mean, "std": spread.std}
        row |= {"low": seen.low if seen else math.nan, "high": seen.high if seen else math.nan}
        row |= differences.get(key, {})
        row["reason"] = sizes[key]["reason"] or (seen.reason if seen else "")
        rows.append(row)
    return rows + _gaps(statistics)


def _gaps(statistics: ArmStatistics) -> list[Row]:
    """Returns the rows of the largest gaps between groups."""
    first = next(iter(statistics.repeats.values()))
    rows = []
    for (column, metric), gap in statistics.gaps().items():
        judged = np.isin(statistics.groups_of_first(column), list(gap.sizes))
        row: Row = {"group": column, "label": "", "metric": f"{metric}{GAP}"}
        row |= {"images": int(judged.sum()), "patients": len(np.unique(first.patients[judged]))}
        row |= {"repeats": len(statistics.repeats), "mean": gap.estimate, "std": math.nan}
        row |= {"low": gap.low, "high": gap.high, "reason": gap.reason}
        rows.append(row | {"highest": gap.highest, "lowest": gap.lowest})
    return rows


def _adjusted(rows: list[Row]) -> list[Row]:
    """Adds the p-values adjusted for all differences of one table."""
    by_table: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if "p" in row:
            table = (row["group"], row["metric"], bool(row["label"]))
            by_table.setdefault(table, []).append(row)
    for together in by_table.values():
        adjusted = multiplicity.holm([row["p"] for row in together])
        for row, value in zip(together, adjusted.tolist(), strict=True):
            row["p_holm"] = value
    return rows


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Writes summary.csv."""
    files.write(folder / layout.SUMMARY, tables.to_csv(rows))


def from_csv(path: Path) -> list[Row]:
    """Reads summary.csv.

    Raises:
      ConfigError: The table is missing or cannot be read.
    """
    texts: dict[str, Callable[[str], Any]] = dict.fromkeys(
        ("arm", "split", "weights", "group", "label", "metric", "reason"), str
    )
    numbers: dict[str, Callable[[str], Any]] = dict.fromkeys(("images", "patients", "repeats"), int)
    required = (*texts, *numbers, "mean", "std", "low", "high")
    texts |= dict.fromkeys(_OF_GAPS, str)
    rows = tables.from_csv(path, texts | numbers, required)
    empty = dict.fromkeys(("group", "label", "reason", *_OF_GAPS), "")
    return [empty | row for row in rows]
