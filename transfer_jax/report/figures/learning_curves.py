"""Convergence of a study's members: AUC over training steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from transfer_jax.report.figures.style import (
    colour,
    dashes,
    legend_below,
    name_outer,
    open_sides,
    panels,
    png,
)
from transfer_jax.runs import results
from transfer_jax.runs.results import History
from transfer_jax.settings import Arm, Study
from transfer_jax.train import early_stop

LOWEST_AUC = 0.45
_Curve = list[tuple[int, float]]


def convergence(study: Study, history: History, steps: int) -> bytes:
    """Draws the validation AUC over steps, with the threshold dashed.

    A thin line per repeat, which ends in a cross before the repeat diverged; a thick line for the
    mean of the repeats that did not.

    Args:
      study: The study.
      history: Evaluations of its members.
      steps: Number of steps of the training, at most.
    """
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    _draw_arms(axes, study, history, "auc", steps)
    axes.axhline(study.threshold_auc, color="grey", linestyle="--", linewidth=0.8)
    axes.set(xlabel="training step", ylabel="validation AUC")
    open_sides(axes)
    legend_below(figure, axes)
    return png(figure)


def per_label(study: Study, history: History, steps: int, labels: Sequence[str]) -> bytes:
    """Draws the validation AUC of single labels over steps, a panel per label.

    Lines and crosses are those of `convergence`.

    Args:
      study: The study.
      history: Evaluations of its members.
      steps: Number of steps of the training, at most.
      labels: Labels of columns "auc/LABEL" of the history.

    Source: Raghu et al. 2019, figure 6c.
    """
    figure, axes_of = panels(len(labels))
    for axes, label in zip(axes_of, labels, strict=True):
        _draw_arms(axes, study, history, f"auc/{label}", steps)
        axes.set_title(label, fontsize=9, wrap=True)
    name_outer(axes_of, "training step", "validation AUC")
    legend_below(figure, axes_of[0])
    return png(figure)


def _draw_arms(axes: Axes, study: Study, history: History, column: str, steps: int) -> None:
    """Draws a column of the history, arm by arm."""
    lowest_end = LOWEST_AUC
    for i, arm in enumerate(study.arms):
        curves = _draw_repeats(axes, study, arm, history, column, colour(i))
        # A member that has stopped early keeps its last AUC in the mean.
        points = sorted({step for curve in curves for step, _ in curve})
        mean = [np.mean([_value_at(curve, point) for curve in curves]) for point in points]
        lowest_end = np.nanmin([lowest_end, *mean[-1:]])
        axes.plot(points, mean, color=colour(i), linestyle=dashes(i), linewidth=2, label=arm.name)
    axes.set_xlim(0, steps)
    # Untrained networks score anything; their first points would squeeze the rest.
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, lowest_end - 0.02 * (lowest_end < LOWEST_AUC)), min(high, 1.01))


def _draw_repeats(
    axes: Axes, study: Study, arm: Arm, history: History, column: str, line_colour: str
) -> list[_Curve]:
    """Draws an arm's repeats and returns the curves of those that did not diverge."""
    curves = []
    for repeat in range(study.repeats):
        entries = results.of_member(history, arm.member(repeat))
        curve = [
            (entry["step"], entry.get(column, math.nan)) for entry in early_stop.sound(entries)
        ]
        if curve:
            axes.plot(*zip(*curve, strict=True), color=line_colour, alpha=0.3, linewidth=0.8)
        if curve and len(curve) == len(entries):
            curves.append(curve)
        elif curve:  # where the member was last sound
            axes.plot(*curve[-1], "x", color=line_colour, markersize=7)
    return curves


def _value_at(curve: _Curve, step: int) -> float:
    """Returns the last value of a curve at or before a step."""
    return max(point for point in curve if point[0] <= step)[1]
