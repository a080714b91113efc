"""The section of a report on the source that a study trained, beside what its arms became."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from transfer_jax import inits
from transfer_jax.report import wording
from transfer_jax.report.figures import scatter
from transfer_jax.report.html import Section
from transfer_jax.report.judged_scores import Shown
from transfer_jax.runs import evaluations, layout
from transfer_jax.runs.run import Run
from transfer_jax.train.recipe import LOSS

_TOP5 = "top5"
_Entries = Sequence[Mapping[str, Any]]


def sections(run: Run) -> list[Section]:
    """Returns the section of a study that trained its source; none of others.

    Raises:
      ConfigError: A table is missing or damaged.
    """
    entries = run.source_entries
    if not entries:
        return []
    data, recipe = run.study.source.data, run.study.source.recipe
    assert data is not None and recipe is not None
    metrics = _metrics(run, entries)
    targets = _target_aucs(run) if len(entries) > 1 else {}
    cells = []
    for entry in entries:
        repeat = "all" if entry["repeat"] is None else str(entry["repeat"])
        aucs = (_number(of_arm.get(entry["repeat"])) for of_arm in targets.values())
        cells.append(
            [repeat, f"{entry['step']:,}", *(_number(entry.get(name)) for name in metrics), *aucs]
        )
    take = "best" if run.study.source.take == "best" else "last"
    note = (
        "What arms begin from, on the source's own validation images (labels: "
        f"{', '.join(data.labels)}), by its {wording.weights_of(recipe.select, take)}."
    )
    if take == "best" or recipe.patience:
        note += " They were chosen on these images, so that the source's scores are optimistic."
    if _TOP5 in metrics:
        note += " Top-5 accuracy: share of images whose class is among the five highest scores."
    header = ["repeat", "step", *(f"source {wording.metric(name)}" for name in metrics)]
    picture = None
    if targets:
        shown = Shown.of(run)
        header += [f"AUC of {arm}" for arm in targets]
        score = _score(metrics, entries)
        place = wording.where(run, shown).replace("On ", "on ", 1)
        note += (
            f" The AUC of an arm is that of its member in the same repeat, {place} Arms that take "
            "nothing from the source are left out. Lines are least squares through the repeats of "
            "an arm, where there are three or more."
        )
        points = {
            arm.name: [
                (float(entry[score]), targets[arm.name][entry["repeat"]])
                for entry in entries
                if entry["repeat"] in targets.get(arm.name, {})
            ]
            for arm in run.study.arms
        }
        names = (
            f"source {wording.metric(score)}",
            f"{wording.SPLITS[shown.split]} AUC of the target",
        )
        picture = scatter.sources_and_targets(points, names)
    title = "Source and target" if targets else "Source"
    return [Section(title=title, note=note, picture=picture, table=(header, cells))]


def _metrics(run: Run, entries: _Entries) -> list[str]:
    """Returns the metrics over all labels that the sources have a number of."""
    names = dict.fromkeys((*run.study.evaluated_metrics, _TOP5, LOSS))
    return [
        name for name in names if any(math.isfinite(entry.get(name, math.nan)) for entry in entries)
    ]


def _score(metrics: Sequence[str], entries: _Entries) -> str:
    """Returns the score that sources are compared by: top5 of many classes, otherwise the AUC."""
    whole = all(math.isfinite(entry.get(_TOP5, math.nan)) for entry in entries)
    return _TOP5 if _TOP5 in metrics and whole else "auc"


def _target_aucs(run: Run) -> dict[str, dict[int, float]]:
    """Returns arm -> repeat -> AUC, of the arms that take something from the source."""
    path = run.check_file(layout.EVALUATIONS)
    if path is None:
        return {}
    shown = Shown.of(run)
    arms: dict[str, dict[int, float]] = {}
    for arm in run.study.arms:
        if inits.needs_source(arm.init, **arm.options()):
            arms[arm.name] = {}
    for row in evaluations.from_csv(path):
        these = (row["split"], row["weights"]) == (shown.split, shown.take)
        whole = not row["group"] and not row["label"] and row["metric"] == "auc"
        if these and whole and row["arm"] in arms and math.isfinite(row["value"]):
            arms[row["arm"]][row["repeat"]] = row["value"]
    return {arm: of_arm for arm, of_arm in arms.items() if of_arm}


def _number(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.3f}"
