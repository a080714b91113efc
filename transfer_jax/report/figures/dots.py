"""Results of single members: a dot per member, and the mean of an arm as a bar of ink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import pyplot as plt

from transfer_jax.report.figures.style import colour, open_sides, png
from transfer_jax.report.summaries import Summary

_Rows = Sequence[Mapping[str, Any]]


def final_auc(summaries: Sequence[Summary], rows: _Rows) -> bytes:
    """Draws the final AUC of every member."""
    values = [
        [row["final_auc"] for row in rows if row["arm"] == summary.arm] for summary in summaries
    ]
    return _dots(
        values,
        [summary.final.mean for summary in summaries],
        [summary.arm for summary in summaries],
        "final validation AUC (dots: repeats, bar: mean)",
        alpha=0.7,
    )


def steps_to_threshold(summaries: Sequence[Summary], rows: _Rows, threshold: float) -> bytes:
    """Draws the steps to the threshold of every member that reached it."""
    values = [
        [
            row["steps_to_threshold"]
            for row in rows
            if row["arm"] == summary.arm and row["steps_to_threshold"] is not None
        ]
        for summary in summaries
    ]
    return _dots(
        values,
        [summary.steps.mean for summary in summaries],
        [f"{each.arm} ({each.reached} of {each.repeats})" for each in summaries],
        f"first evaluation with validation AUC >= {threshold:g}, step (dots: repeats, bar: mean)",
        alpha=0.5,
        left=0,
    )


def _dots(
    values: Sequence[Sequence[float]],
    means: Sequence[float],
    names: Sequence[str],
    label: str,
    *,
    alpha: float,
    left: float | None = None,
) -> bytes:
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(names) + 1.1), layout="constrained")
    for i, (dots, mean) in enumerate(zip(values, means, strict=True)):
        axes.plot(dots, [i] * len(dots), "o", color=colour(i), alpha=alpha)
        axes.plot([mean] * 2, [i - 0.3, i + 0.3], color=colour(i), linewidth=2)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    if left is not None:
        axes.set_xlim(left=left)
    axes.set_xlabel(label)
    open_sides(axes)
    return png(figure)
