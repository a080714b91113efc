"""Sections of a report on the evaluations during training: learning curves, steps, final AUC."""

from __future__ import annotations

from collections.abc import Sequence

from transfer_jax.report import text_tables, wording
from transfer_jax.report.figures import dots, learning_curves
from transfer_jax.report.html import Section
from transfer_jax.report.summaries import Summary, differences
from transfer_jax.runs import layout
from transfer_jax.runs.run import Run
from transfer_jax.stats import intervals

MOST_LABELS = 9  # that have a panel each
TITLE = "Convergence on validation images"


def sections(run: Run, by_arm: Sequence[Summary]) -> list[Section]:
    """Returns the sections of a study that has been evaluated at least once.

    Args:
      run: The study.
      by_arm: Its arms over their repeats.
    """
    return [
        _table(run, by_arm),
        _curves(run),
        *_labels(run),
        *_differences(run),
        *_dots(run, by_arm),
    ]


def _table(run: Run, by_arm: Sequence[Summary]) -> Section:
    study, data = run.in_steps, run.record.data
    note = (
        f"AUC on {wording.images(data, 'val')}, mean ± sample standard deviation over "
        f"repeats, evaluated every {study.recipe.eval_every} steps. Best AUC is chosen on the "
        "images that it is measured on and so is optimistic. Steps to the threshold are those of "
        "the first evaluation at or above it."
    )
    if data.unmeasured:
        note += f" {data.unmeasured}"
    if _any_diverged(run):
        note += " Members that diverged enter no mean and never reach the threshold."
    header = text_tables.header(text_tables.HEADER, study.threshold_auc)
    return Section(
        title=TITLE,
        note=note,
        table=(header, [text_tables.cells(each) for each in by_arm]),
    )


def _curves(run: Run) -> Section:
    note = f"{_lines(run)} Dashed: the threshold."
    picture = learning_curves.convergence(run.study, run.entries, run.in_steps.recipe.steps)
    return Section(title="Learning curves", note=note, picture=picture)


def _labels(run: Run) -> list[Section]:
    """Learning curves of single labels, where there are several."""
    labels = labels_of(run)
    binary = run.record.data.task == "multiclass" and len(labels) == 2  # one is the other's mirror
    if len(labels) < 2 or binary:
        return []
    note = f"Validation AUC of single labels. {_lines(run)}"
    if run.record.data.task == "multiclass":
        note += " A class is judged against the rest."
    if len(labels) > MOST_LABELS:
        chosen, why = _most_positives(run, labels)
        note += f" Of {len(labels)} labels, {why}; all are in {layout.HISTORY}."
        labels = chosen
    steps = run.in_steps.recipe.steps
    picture = learning_curves.per_label(run.study, run.entries, steps, labels)
    return [Section(title="Learning curves per label", note=note, picture=picture)]


def labels_of(run: Run) -> list[str]:
    """Returns the labels, or classes, of which the history has an AUC each."""
    columns = dict.fromkeys(key for entry in run.entries for key in entry)
    return [key.partition("/")[2] for key in columns if key.startswith("auc/")]


def _most_positives(run: Run, labels: Sequence[str]) -> tuple[list[str], str]:
    """Returns the labels to draw of many, in their order, and which ones they are, in words."""
    for member in run.members if run.finished else ():
        if run.predictions_of(member, "val", "best") is None:
            continue
        scored = run.scored(member, "val", "best")
        counts = {
            output: int(scored.column(i).positive.sum()) for i, output in enumerate(scored.outputs)
        }
        first = sorted(labels, key=lambda label: -counts.get(label, 0))[:MOST_LABELS]
        words = f"the {MOST_LABELS} with most positive validation images"
        return [label for label in labels if label in first], words
    return list(labels[:MOST_LABELS]), f"the first {MOST_LABELS}"


def _lines(run: Run) -> str:
    lines = "Thin lines: repeats; thick: their mean." if run.study.repeats > 1 else "One repeat."
    lines += (
        f" Below {learning_curves.LOWEST_AUC} the picture is cut off, unless an arm ends there."
    )
    if _any_diverged(run):
        lines += " A cross marks the last evaluation before a member diverged."
    return lines


def _differences(run: Run) -> list[Section]:
    """Arms against the first, where there are several."""
    study = run.study
    compared = differences(study, run.rows)
    if not compared:
        return []
    first = study.arms[0].name
    note = (
        f"Arm minus {first} on validation images, paired by repeat, mean ± half of the "
        f"{intervals.LEVEL:.0%} confidence interval over repeats (Student's t; * where zero lies "
        "outside). Intervals are not corrected for their number. Members that stopped early keep "
        "their last AUC."
    )
    header = text_tables.header(text_tables.DIFFERENCES, study.threshold_auc)
    cells = [text_tables.difference_cells(difference) for difference in compared]
    return [
        Section(title=f"Convergence: differences from {first}", note=note, table=(header, cells))
    ]


def _dots(run: Run, by_arm: Sequence[Summary]) -> list[Section]:
    study = run.study
    evaluated = f"members are evaluated every {run.in_steps.recipe.eval_every} steps."
    return [
        Section(
            title="Steps to the threshold",
            note=f"On validation images. No interpolation: {evaluated}",
            picture=dots.steps_to_threshold(by_arm, run.rows, study.threshold_auc),
        ),
        Section(
            title="Final AUC",
            note="Of the last step, on validation images. Members of one repeat saw the same "
            "batches in the same order.",
            picture=dots.final_auc(by_arm, run.rows),
        ),
    ]


def _any_diverged(run: Run) -> bool:
    return any(row["diverged_at"] is not None for row in run.rows)
