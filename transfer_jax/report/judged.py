"""Sections of a report on what finished members are worth: over all images, labels, and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transfer_jax.report import wording
from transfer_jax.report.estimates import gap_in_words, interval, number, p_value
from transfer_jax.report.html import Section
from transfer_jax.report.judged_scores import Shown, chosen_on
from transfer_jax.runs import layout, summary
from transfer_jax.runs.run import Run
from transfer_jax.settings import Study
from transfer_jax.stats import paired

Row = Mapping[str, Any]
_THRESHOLDS = {
    "half": "A label is called positive from a probability of 0.5 on.",
    "youden": (
        "A label is called positive from where sensitivity + specificity is highest on these "
        "images, which is optimistic."
    ),
    "validation": (
        "A label is called positive from where sensitivity + specificity is highest on the "
        "validation images."
    ),
}
_WITHOUT_THRESHOLD = {"auc", "average_precision", "log_loss", "brier", "ece"}


def sections(run: Run) -> list[Section]:
    """Returns the sections of a finished study: test images where it has some, else validation.

    Raises:
      ConfigError: The summary is missing or damaged.
    """
    path = run.check_file(layout.SUMMARY)
    if path is None:
        return []
    shown = Shown.of(run)
    rows = [row for row in summary.from_csv(path) if row["split"] == shown.split]
    of_weights = [row for row in rows if row["weights"] == shown.take]
    return [
        _overall(run, rows, shown.split),
        *_differences(run, rows, shown.split),
        *_labels(run, of_weights, shown),
        *_groups(run, of_weights, shown),
        *_gaps(run, of_weights, shown),
    ]


def _overall(run: Run, rows: Sequence[Row], split: str) -> Section:
    study, data = run.study, run.record.data
    all_images = [row for row in rows if not row["group"] and not row["label"]]
    measured = {row["metric"] for row in all_images}
    metrics = [name for name in study.evaluated_metrics if name in measured]
    cells = []
    for arm in study.arms:
        for take in layout.WEIGHTS:
            by_metric = {
                row["metric"]: row
                for row in all_images
                if row["arm"] == arm.name and row["weights"] == take
            }
            if by_metric:
                numbers = (number(by_metric.get(name)) for name in metrics)
                cells.append([arm.name, _weights(run, split, take), *numbers])
    notes = [
        f"On {wording.images(data, split)}: {wording.over_repeats(study.repeats)}, and "
        f"{wording.over_patients(study)}.",
        f"Last: {wording.weights(study, 'last')}; best: {wording.weights(study, 'best')}.",
        wording.best_is_optimistic(run, split),
    ]
    if study.data.referable is not None:
        notes.append(
            f"Numbers over all classes judge {data.labels[0]} >= {study.data.referable} against "
            "the rest, by the sum of the probabilities."
        )
    elif data.task != "multiclass" and not set(metrics) <= _WITHOUT_THRESHOLD:
        notes.append(_threshold(run, split))
    if study.evaluation.per_study:
        notes.append("A study is judged by the highest probability of its images.")
    return Section(
        title=f"{wording.SPLITS[split].capitalize()} results",
        note=" ".join(filter(None, notes)),
        table=(["arm", "weights", *map(wording.metric, metrics)], cells),
    )


def _threshold(run: Run, split: str) -> str:
    kind = run.study.evaluation.threshold
    these = kind == "validation" and chosen_on(run, split)
    return _THRESHOLDS["youden" if these else kind]


def _weights(run: Run, split: str, take: str) -> str:
    """Returns the name of weights, marked where these images chose them."""
    return f"{take} (optimistic)" if take == "best" and chosen_on(run, split) else take


def _differences(run: Run, rows: Sequence[Row], split: str) -> list[Section]:
    compared = [
        row for row in rows if "difference" in row and not row["group"] and not row["label"]
    ]
    if not compared:
        return []
    study = run.study
    cells = [
        [
            row["arm"],
            _weights(run, split, row["weights"]),
            wording.metric(row["metric"]),
            paired.in_words(row["difference"], row["difference_low"], row["difference_high"]),
            interval(row.get("repeats_low"), row.get("repeats_high"), signed=True),
            p_value(row.get("p_holm")),
        ]
        for row in compared
    ]
    note = (
        f"Arm minus {study.arms[0].name} on the same images in the same repeats, with 95 % "
        f"intervals, on {wording.images(run.record.data, split)}. Over patients: BCa bootstrap "
        f"({study.evaluation.resamples:,} resamples of the patients), which asks whether these "
        "networks would differ on other patients. Over repeats: Student's t, which asks whether "
        "other repeats of the training would. p is that of Student's t (of a single repeat, of "
        "DeLong's test of an AUC), adjusted by Holm for all differences of one metric by one kind "
        "of weights."
    )
    header = ["arm", "weights", "metric", "over patients", "over repeats", "p (Holm)"]
    title = f"{wording.SPLITS[split].capitalize()} results: differences from {study.arms[0].name}"
    return [Section(title=title, note=note, table=(header, cells))]


def _labels(run: Run, rows: Sequence[Row], shown: Shown) -> list[Section]:
    study = run.study
    chosen = [row for row in rows if row["label"] and not row["group"] and row["metric"] == "auc"]
    if not chosen:
        return []
    rest = " A class is judged against the rest." if run.record.data.task == "multiclass" else ""
    note = (
        f"{wording.where(run, shown)} AUC: {wording.over_repeats(study.repeats)}, and "
        f"{wording.over_patients(study)}.{rest} Other metrics and weights: {layout.SUMMARY}."
    )
    title = f"{wording.SPLITS[shown.split].capitalize()} AUC per label"
    cells = [[label, *numbers] for label, numbers in _by_arm(study, chosen, "label").items()]
    header = ["label", *(arm.name for arm in study.arms)]
    return [Section(title=title, note=note, table=(header, cells))]


def _groups(run: Run, rows: Sequence[Row], shown: Shown) -> list[Section]:
    study = run.study
    chosen = [row for row in rows if row["group"] and not row["label"] and row["metric"] == "auc"]
    if not chosen:
        return []
    sizes: dict[str, list[str]] = {}
    for row in chosen:
        sizes.setdefault(row["group"], [f"{row['images']:,}", f"{row['patients']:,}"])
    note = (
        f"{wording.where(run, shown)} AUC: {wording.over_repeats(study.repeats)}, and "
        f"{wording.over_patients(study)}. Groups of fewer than {study.evaluation.smallest_group} "
        f"images are counted and not judged. Other metrics: {layout.SUMMARY}."
    )
    title = f"{wording.SPLITS[shown.split].capitalize()} AUC per group"
    by_group = _by_arm(study, chosen, "group")
    cells = [[group, *sizes[group], *numbers] for group, numbers in by_group.items()]
    header = ["group", "images", "patients", *(arm.name for arm in study.arms)]
    return [Section(title=title, note=note, table=(header, cells))]


def _by_arm(study: Study, rows: Sequence[Row], column: str) -> dict[str, list[str]]:
    """Returns value of a column, in order -> the number of every arm, as text."""
    by_cell = {(row[column], row["arm"]): row for row in rows}
    return {
        value: [number(by_cell.get((value, arm.name))) for arm in study.arms]
        for value in dict.fromkeys(row[column] for row in rows)
    }


def _gaps(run: Run, rows: Sequence[Row], shown: Shown) -> list[Section]:
    gaps = [row for row in rows if row["metric"].endswith(summary.GAP)]
    if not gaps:
        return []
    arms = [arm.name for arm in run.study.arms]
    by_cell = {(row["group"], row["metric"], row["arm"]): row for row in gaps}
    lines = list(dict.fromkeys((row["group"], row["metric"]) for row in gaps))
    cells = []
    for column, metric in lines:
        words = [gap_in_words(by_cell.get((column, metric, arm))) for arm in arms]
        cells.append([column, wording.metric(metric.removesuffix(summary.GAP)), *words])
    note = (
        f"{wording.where(run, shown)} The group of the highest value above that of the lowest "
        "one, by the mean over repeats, with its 95 % interval over patients (test inversion by "
        f"resampling, {run.study.evaluation.resamples:,} resamples of the patients): the largest "
        "of several differences is too large on average, and the interval takes that into account."
    )
    title = f"{wording.SPLITS[shown.split].capitalize()} results: largest gaps between groups"
    return [Section(title=title, note=note, table=(["groups", "metric", *arms], cells))]
