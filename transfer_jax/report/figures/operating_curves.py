"""What thresholds trade for each other: ROC curves, and precision over recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transfer_jax.metrics.curves import PrecisionRecall, Roc
from transfer_jax.report.figures.style import colour, dashes, legend_below, name_outer, panels, png

_GRID = np.linspace(0, 1, 201)
_THIN: dict[str, Any] = {"alpha": 0.35, "linewidth": 0.7}


def roc(curves: Mapping[str, Mapping[str, Sequence[Roc]]]) -> bytes:
    """Draws ROC curves, a panel per label.

    A thin line per repeat, and a thick one for the mean sensitivity at each false positive rate; of
    a single repeat, its curve.

    Args:
      curves: Label -> arm -> the curve of each repeat; curves without points are left out.

    Source: Fawcett 2006 (vertical averaging).
    """
    figure, axes_of = _square_panels(len(curves))
    for axes, (label, by_arm) in zip(axes_of, curves.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=0.8)
        for i, (arm, repeats) in enumerate(by_arm.items()):
            drawn = [
                (curve.false_positive_rate, curve.sensitivity)
                for curve in repeats
                if len(curve.sensitivity)
            ]
            mean = drawn[0] if len(drawn) == 1 else _mean_sensitivity(drawn)
            _draw(axes, drawn, mean, i, arm)
        _finish(axes, label, any(len(c.sensitivity) for one in by_arm.values() for c in one))
    name_outer(axes_of, "1 - specificity", "sensitivity")
    legend_below(figure, axes_of[0])
    return png(figure)


def precision_recall(
    curves: Mapping[str, Mapping[str, Sequence[PrecisionRecall]]], prevalence: Mapping[str, float]
) -> bytes:
    """Draws precision over recall, a panel per label.

    A thin line per repeat, and a thick one for the mean precision at each recall; of a single
    repeat, its curve. Curves are steps, whose area is the average precision: between two recalls
    lies no threshold.

    Args:
      curves: Label -> arm -> the curve of each repeat; curves without points are left out.
      prevalence: Label -> share of positives, drawn as a dashed line: the precision of chance.
    """
    figure, axes_of = _square_panels(len(curves))
    for axes, (label, by_arm) in zip(axes_of, curves.items(), strict=True):
        axes.axhline(prevalence[label], color="grey", linestyle="--", linewidth=0.8)
        for i, (arm, repeats) in enumerate(by_arm.items()):
            drawn = [(curve.recall, curve.precision) for curve in repeats if len(curve.recall)]
            mean = drawn[0] if len(drawn) == 1 else _mean_precision(drawn)
            _draw(axes, drawn, mean, i, arm, drawstyle="steps-post")
        _finish(axes, label, any(len(curve.recall) for one in by_arm.values() for curve in one))
    name_outer(axes_of, "recall", "precision")
    legend_below(figure, axes_of[0])
    return png(figure)


_Line = tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]


def _mean_sensitivity(curves: Sequence[_Line]) -> _Line:
    """Returns the mean over ROC curves at each false positive rate."""
    if not curves:
        return _GRID[:0], _GRID[:0]
    # Where a curve rises at one rate, `interp` takes the last point there, which is the highest.
    mean = np.mean([np.interp(_GRID, *curve) for curve in curves], axis=0)
    return np.append(0.0, _GRID), np.append(0.0, mean)


def _mean_precision(curves: Sequence[_Line]) -> _Line:
    """Returns the mean precision at each recall, from recall 1 downwards like the curves."""
    if not curves:
        return _GRID[:0], _GRID[:0]
    grid, values = _GRID[:0:-1], []
    for recall, precision in curves:
        # The highest threshold that reaches the recall; the curve is ordered by falling recall.
        first = np.searchsorted(recall[::-1], grid, side="left")
        values.append(precision[::-1][first])
    return grid, np.mean(values, axis=0)


def _square_panels(count: int) -> tuple[Figure, np.ndarray]:
    height = {1: 4.5, 2: 3.7, 4: 3.7}.get(count, 2.7)
    figure, axes_of = panels(count, height, width=5.2 if count == 1 else 8)
    for axes in axes_of:
        axes.set_box_aspect(1)
        ticks = np.linspace(0, 1, 6 if count == 1 else 3)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xticks=ticks, yticks=ticks)
    return figure, axes_of


def _draw(
    axes: Axes, repeats: Sequence[_Line], mean: _Line, i: int, name: str, drawstyle: str = "default"
) -> None:
    """Draws an arm: its repeats, where there are several, and their mean."""
    if len(repeats) > 1:
        for line in repeats:
            axes.plot(*line, color=colour(i), drawstyle=drawstyle, **_THIN)
    style = "default" if len(repeats) > 1 else drawstyle
    axes.plot(
        *mean, color=colour(i), linestyle=dashes(i), linewidth=1.8, drawstyle=style, label=name
    )


def _finish(axes: Axes, label: str, anything: bool) -> None:
    axes.set_title(label, fontsize=9, wrap=True)
    if not anything:
        axes.text(0.5, 0.3, "no curve", color="grey", ha="center", transform=axes.transAxes)
