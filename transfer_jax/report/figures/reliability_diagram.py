"""Reliability diagrams: how often what has a probability is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from transfer_jax.metrics.curves import Reliability
from transfer_jax.report.figures.style import colour, columns_of, open_sides, png

_THIN: dict[str, Any] = {"alpha": 0.35, "linewidth": 0.7}


def reliability(
    diagrams: Mapping[str, Sequence[Reliability]],
    errors: Mapping[str, str],
    axis_names: tuple[str, str],
) -> bytes:
    """Draws a reliability diagram per arm, with the number of predictions of every bin below it.

    A thin line per repeat, where there are several; a thick one, with dots, for the predictions of
    all repeats together. Bars are the counts of all repeats.

    Args:
      diagrams: Arm -> diagram of each repeat, all of the same bins.
      errors: Arm -> its calibration error in words.
      axis_names: What the probability is, and what the share is.

    Source: Guo et al. 2017, figure 1.
    """
    columns = columns_of(len(diagrams))
    rows = -(-len(diagrams) // columns)
    width, height = {1: (5.2, 5.8), 2: (8, 4.9)}.get(columns, (8, 3.7))
    figure, axes = plt.subplots(
        2 * rows, columns, figsize=(width, height * rows),
        layout="constrained", squeeze=False, height_ratios=(4, 1) * rows,
    )  # fmt: skip
    for axis in axes.flat:
        axis.set_axis_off()
    for i, (arm, repeats) in enumerate(diagrams.items()):
        row, column = divmod(i, columns)
        above, below = axes[2 * row, column], axes[2 * row + 1, column]
        _draw(above, repeats, colour(i))
        above.set_title(f"{arm}\n{errors[arm]}", fontsize=9)
        _draw_counts(below, repeats, colour(i))
        if column == 0:
            above.set_ylabel(axis_names[1], fontsize=8)
            below.set_ylabel("count", fontsize=8)
        below.set_xlabel(axis_names[0], fontsize=8)
    return png(figure)


def pooled(repeats: Sequence[Reliability]) -> Reliability:
    """Returns the diagram of the predictions of all repeats together.

    Args:
      repeats: Diagrams of the same bins, at least one.
    """
    counts = np.sum([one.counts for one in repeats], axis=0)
    divisors = np.where(counts, counts, np.nan)

    def mean(name: str) -> np.ndarray:
        sums = [np.nan_to_num(getattr(one, name)) * one.counts for one in repeats]
        return np.sum(sums, axis=0) / divisors

    return Reliability(repeats[0].centres, mean("confidence"), mean("accuracy"), counts)


def _draw(axes: Axes, repeats: Sequence[Reliability], ink: str) -> None:
    axes.set_axis_on()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=0.8)
    if len(repeats) > 1:
        for one in repeats:
            filled = one.counts > 0
            axes.plot(one.confidence[filled], one.accuracy[filled], color=ink, **_THIN)
    if repeats:
        every = pooled(repeats)
        filled = every.counts > 0
        points = every.confidence[filled], every.accuracy[filled]
        axes.plot(*points, "o-", color=ink, markersize=3.5, linewidth=1.6)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.tick_params(labelsize=8, labelbottom=False)
    open_sides(axes)


def _draw_counts(axes: Axes, repeats: Sequence[Reliability], ink: str) -> None:
    axes.set_axis_on()
    if repeats:
        every = pooled(repeats)
        width = 1 / len(every.centres)
        axes.bar(every.centres, every.counts, width=width, color=ink, alpha=0.6, edgecolor="white")
    axes.set(xlim=(-0.02, 1.02), xticks=[0, 0.5, 1])
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    axes.tick_params(labelsize=8)
    open_sides(axes)
