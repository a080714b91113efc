"""Similarity inside networks: figures 2 and 4 of "Transfusion", figure 6 of Juodelyte et al."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from transfer_jax.analysis import measures
from transfer_jax.compare.auc_gains import Gain
from transfer_jax.report.figures.style import colour, legend_below, open_sides, panels, png
from transfer_jax.stats import regression


def top_stages(
    values: Mapping[tuple[str, str], Sequence[float]], stages: Sequence[str], measure: str
) -> bytes:
    """Draws the similarity of trained networks of two arms: a dot per pair, the means as bars of
    ink.

    Args:
      values: (arm, arm) -> per pair of networks, the mean over `stages`.
      stages: Stages that are averaged.
      measure: Title of the measure of similarity.
    """
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(values) + 1.1), layout="constrained")
    for i, dots in enumerate(values.values()):
        axes.plot(dots, [i] * len(dots), "o", color=colour(i), alpha=0.6)
        axes.plot([np.mean(dots)] * 2, [i - 0.3, i + 0.3], color=colour(i), linewidth=2)
    axes.set_yticks(range(len(values)), [f"{a} and {b}" for a, b in values])
    axes.invert_yaxis()
    axes.set_xlabel(
        f"mean {measure} of {' and '.join(stages)} after training "
        "(dots: pairs of networks, bar: mean)"
    )
    open_sides(axes)
    return png(figure)


def before_and_after(
    points: Mapping[str, Mapping[tuple[str, str], Sequence[tuple[float, float]]]], measure: str
) -> bytes:
    """Draws pairs of networks by their similarity before and after training, one panel per stage.

    Args:
      points: Stage -> (arm, arm) -> (before, after) per pair; every colour has its own line and R².
      measure: Title of the measure of similarity.
    """
    figure, axes_of = panels(len(points))
    for axes, (stage, groups) in zip(axes_of, points.items(), strict=False):
        for i, (arms, pairs) in enumerate(groups.items()):
            x, y = np.transpose(pairs)
            label = " and ".join(arms)
            axes.plot(x, y, "o", color=colour(i), alpha=0.7, markersize=4, label=label)
            line = _draw_line(axes, x, y, colour(i), band=False)
            if line is not None:
                axes.text(
                    0.03, 0.98 - 0.08 * i, f"R² {line.r2:.2f}", color=colour(i), fontsize=8,
                    va="top", transform=axes.transAxes,
                )  # fmt: skip
        axes.margins(y=0.25)
        axes.set_title(stage, fontsize=9)
        axes.set_xlabel(f"{measure} at initialisation")
    axes_of[0].set_ylabel(f"{measure} after training")
    legend_below(figure, axes_of[0])
    return png(figure)


def gains(points: Sequence[Gain], split: str) -> bytes:
    """Draws the gain in AUC over the similarity before and after training, one panel per stage.

    A line goes through all points of a panel, with its 95 % band.

    Args:
      points: The members, of one measure and one split.
      split: Name of the split on the axis.
    """
    stages, measure = list(points[0].similarity), measures.named(points[0].measure).title
    figure, axes_of = panels(len(stages))
    labels = list(dict.fromkeys(point.label for point in points))
    percent = np.array([100 * point.gain for point in points])
    for axes, stage in zip(axes_of, stages, strict=False):
        x = np.array([point.similarity[stage] for point in points])
        for i, label in enumerate(labels):
            of_label = np.array([point.label == label for point in points])
            axes.plot(x[of_label], percent[of_label], "o", color=colour(i), alpha=0.7, label=label)
        line = _draw_line(axes, x, percent, "grey", band=True)
        numbers = "" if line is None else f": R² {line.r2:.2f}, p {line.p:.2g}"
        axes.set_title(f"{stage}{numbers}", fontsize=9)
        axes.axhline(0, color="grey", linewidth=0.6)
        axes.set_xlabel(f"{measure} before and after training")
    axes_of[0].set_ylabel(f"gain in {split} AUC, %")
    legend_below(figure, axes_of[0])
    return png(figure)


def sources_and_targets(
    points: Mapping[str, Sequence[tuple[float, float]]], names: tuple[str, str]
) -> bytes:
    """Draws members by the score of their source and their own, a dot per repeat.

    Args:
      points: Arm -> (score of the source, score of the member) per repeat; an arm of three repeats
        or more has a line, with its R², and one without any is left out.
      names: Names of the two axes.
    """
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for i, (arm, pairs) in enumerate(points.items()):
        if not pairs:
            continue
        x, y = np.transpose(pairs)
        (dots,) = axes.plot(x, y, "o", color=colour(i), alpha=0.7)
        line = _draw_line(axes, x, y, colour(i), band=False)
        dots.set_label(arm if line is None else f"{arm} (R² {line.r2:.2f})")
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.margins(0.08)
    open_sides(axes)
    legend_below(figure, axes)
    return png(figure)


def _draw_line(
    axes: Axes, x: np.ndarray, y: np.ndarray, line_colour: str, *, band: bool
) -> regression.Line | None:
    """Draws and returns the line through the points; None where there are too few."""
    if len(x) < regression.LEAST or np.ptp(x) == 0:
        return None
    line = regression.line(x, y)
    ends = np.linspace(x.min(), x.max(), 50)
    axes.plot(ends, line.at(ends), color=line_colour, linewidth=1)
    if band:
        half = line.half_band(ends)
        low, high = line.at(ends) - half, line.at(ends) + half
        axes.fill_between(ends, low, high, color=line_colour, alpha=0.2, linewidth=0)
    return line
