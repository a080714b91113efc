"""Sections of a report with curves and tables of decisions, from stored predictions alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from transfer_jax import metrics
from transfer_jax.metrics import curves
from transfer_jax.metrics.probabilities import BINS
from transfer_jax.metrics.scored import Scored
from transfer_jax.report import judged_scores, text_tables, wording
from transfer_jax.report.figures import confusion_matrices, operating_curves, reliability_diagram
from transfer_jax.report.html import Section
from transfer_jax.report.judged_scores import ByArm, Shown
from transfer_jax.runs.run import Run
from transfer_jax.stats.intervals import Spread


def sections(run: Run) -> list[Section]:
    """Returns the sections of a study whose members have left predictions.

    Raises:
      ConfigError: A table of predictions is missing or damaged.
    """
    shown = Shown.of(run)
    scores = judged_scores.read(run, shown)
    if not any(scores.values()):
        return []
    return [
        *_curves(run, shown, scores),
        _calibration(run, shown, scores),
        *_confusion(run, shown, scores),
    ]


def _curves(run: Run, shown: Shown, scores: ByArm) -> list[Section]:
    views = judged_scores.by_label(scores, run.study.data.referable)
    roc = {title: _of_each(by_arm, curves.roc) for title, by_arm in views.items()}
    precision_recall = {
        title: _of_each(by_arm, curves.precision_recall) for title, by_arm in views.items()
    }
    shares = {title: _share_of_positives(by_arm) for title, by_arm in views.items()}
    on = f"on {wording.SPLITS[shown.split]} images"
    return [
        Section(
            title=f"ROC curves {on}",
            note=_curve_note(run, shown, views, "sensitivity at each false positive rate"),
            picture=operating_curves.roc(roc),
        ),
        Section(
            title=f"Precision and recall {on}",
            note=f"{_curve_note(run, shown, views, 'precision at each recall')} Chance is the "
            "share of positives.",
            picture=operating_curves.precision_recall(precision_recall, shares),
        ),
    ]


def _of_each(by_arm: ByArm, curve: Callable[[Scored], Any]) -> dict[str, list[Any]]:
    return {arm: [curve(one) for one in repeats] for arm, repeats in by_arm.items()}


def _curve_note(run: Run, shown: Shown, views: Mapping[str, ByArm], mean: str) -> str:
    notes = [wording.where(run, shown)]
    if run.study.repeats > 1:
        notes.append(f"Thin lines: repeats; thick: the mean {mean}.")
    notes.append("Dashed: chance.")
    if any(title.startswith(judged_scores.MICRO) for title in views):
        notes.append("All pairs of an image and a label are pooled (micro average).")
    elif run.record.data.task == "multiclass":
        notes.append("A class is judged against the rest.")
    return " ".join(notes)


def _share_of_positives(scores: ByArm) -> float:
    every = [one.column(0).positive for repeats in scores.values() for one in repeats]
    positive = np.concatenate(every)
    return float(positive.mean()) if len(positive) else math.nan


def _calibration(run: Run, shown: Shown, scores: ByArm) -> Section:
    what, by_arm = judged_scores.for_calibration(scores, run.study.data.referable)
    by_arm = {arm: repeats for arm, repeats in by_arm.items() if repeats}
    words = {
        arm: f"ECE {text_tables.spread(Spread.of(errors), 3)}"
        for arm, errors in _of_each(by_arm, _error).items()
    }
    accuracy = "accuracy" if what.endswith("class") else "share of positives"
    probability = "probability, labels pooled" if what.endswith("pooled") else "probability"
    diagrams = _of_each(by_arm, curves.reliability)
    picture = reliability_diagram.reliability(diagrams, words, (probability, accuracy))
    notes = [
        wording.where(run, shown),
        f"Reliability of the {what}: {accuracy} over mean probability in {BINS} bins of equal "
        "width; on the dashed line they are equal. Bars: number of predictions per bin.",
    ]
    if run.study.repeats > 1:
        notes.append("Thin lines: repeats; thick lines and bars: all repeats together.")
    notes.append(
        "ECE is the expected calibration error, the mean distance from the line weighted by the "
        f"number of predictions: {wording.over_repeats(run.study.repeats)}."
    )
    title = f"Calibration on {wording.SPLITS[shown.split]} images"
    return Section(title=title, note=" ".join(notes), picture=picture)


def _error(scored: Scored) -> float:
    return metrics.create("ece")(scored)[0].value


def _confusion(run: Run, shown: Shown, scores: ByArm) -> list[Section]:
    if run.record.data.task != "multiclass":
        return []
    found = {arm: repeats for arm, repeats in scores.items() if repeats}
    label, classes = judged_scores.class_names(next(iter(found.values()))[0])
    title = f"Confusion on {wording.SPLITS[shown.split]} images"
    if len(classes) > confusion_matrices.MOST_CLASSES:
        note = (
            f"{len(classes)} classes are too many to draw: `metrics.curves.confusion` computes the "
            "matrix from the stored predictions."
        )
        return [Section(title=title, note=note)]
    matrices = {
        arm: np.sum([curves.confusion(one) for one in repeats], axis=0)
        for arm, repeats in found.items()
    }
    summed = ", summed over repeats" if run.study.repeats > 1 else ""
    note = (
        f"{wording.where(run, shown)} Rows: true classes; columns: the class of the highest "
        f"score. Numbers of images{summed}; shading: share of the row."
    )
    picture = confusion_matrices.confusion(matrices, classes, label)
    return [Section(title=title, note=note, picture=picture)]
