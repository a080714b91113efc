"""Pictures of similarity inside networks, as PNG bytes: figures 2 and 4 of "Transfusion", figure 6 of Juodelyte et al."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from transfer_jax.analysis import regression
from transfer_jax.studies.figures import COLOURS, png
from transfer_jax.studies.inside.representations import Gain

_WIDE, _SQUARE = 3, 4  # panels side by side; so many are two by two


def top_stages(values: Mapping[tuple[str, str], Sequence[float]], stages: Sequence[str]) -> bytes:
    """Similarity of trained networks of two arms: a dot for each pair, the means as bars of ink.

    Args:
      values: (arm, arm) -> mean over the `stages`, of each pair of networks.
      stages: that are averaged.
    """
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(values) + 1.1), layout="constrained")
    for i, found in enumerate(values.values()):
        axes.plot(found, [i] * len(found), "o", color=COLOURS[i % len(COLOURS)], alpha=0.6)
        axes.plot([np.mean(found)] * 2, [i - 0.3, i + 0.3], color=COLOURS[i % len(COLOURS)], linewidth=2)
    axes.set_yticks(range(len(values)), [f"{a} and {b}" for a, b in values])
    axes.invert_yaxis()
    axes.set_xlabel(f"mean CCA of {' and '.join(stages)} after training (dots: pairs of networks, bar: mean)")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def before_and_after(points: Mapping[str, Mapping[tuple[str, str], Sequence[tuple[float, float]]]]) -> bytes:
    """A panel for each stage: pairs of networks by their similarity before and after training, with R² of the line through each colour's.

    Args:
      points: stage -> (arm, arm) -> (before, after) of each pair.
    """
    figure, panels = _panels(len(points))
    for axes, (stage, groups) in zip(panels, points.items(), strict=False):
        for i, (arms, found) in enumerate(groups.items()):
            colour, (x, y) = COLOURS[i % len(COLOURS)], np.transpose(found)
            axes.plot(x, y, "o", color=colour, alpha=0.7, markersize=4, label=" and ".join(arms))
            line = _line(axes, x, y, colour, band=False)
            if line is not None:
                axes.text(0.03, 0.98 - 0.08 * i, f"R² {line.r2:.2f}", color=colour, fontsize=8, va="top", transform=axes.transAxes)
        axes.margins(y=0.25)
        axes.set_title(stage, fontsize=9)
        axes.set_xlabel("CCA at initialisation")
    panels[0].set_ylabel("CCA after training")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return png(figure)


def gains(points: Sequence[Gain]) -> bytes:
    """A panel for each stage: gain in AUC over similarity before and after training, with the line through all points and its 95 % band."""
    stages = list(points[0].similarity)
    figure, panels = _panels(len(stages))
    labels = list(dict.fromkeys(point.label for point in points))
    for axes, stage in zip(panels, stages, strict=False):
        for i, label in enumerate(labels):
            own = [(p.similarity[stage], 100 * p.gain) for p in points if p.label == label]
            axes.plot(*np.transpose(own), "o", color=COLOURS[i % len(COLOURS)], alpha=0.7, label=label)
        x, y = np.array([p.similarity[stage] for p in points]), np.array([100 * p.gain for p in points])
        line = _line(axes, x, y, "grey", band=True)
        axes.set_title(stage if line is None else f"{stage}: R² {line.r2:.2f}, p {line.p:.2g}", fontsize=9)
        axes.axhline(0, color="grey", linewidth=0.6)
        axes.set_xlabel("CCA before and after training")
    panels[0].set_ylabel("gain in AUC, %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return png(figure)


def _panels(count: int) -> tuple:
    columns = 2 if count == _SQUARE else min(count, _WIDE)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(8, 2.7 * rows + 0.6), layout="constrained", squeeze=False)
    for empty in axes.flat[count:]:
        empty.set_axis_off()
    for used in axes.flat:
        used.spines[["top", "right"]].set_visible(False)
        used.tick_params(labelsize=8)
        used.xaxis.set_major_locator(MaxNLocator(5))
    return figure, axes.flat[:count]


def _line(axes: plt.Axes, x: np.ndarray, y: np.ndarray, colour: str, *, band: bool) -> regression.Line | None:
    """Draws the line through the points, and gives it; None where there is none."""
    if len(x) < regression.LEAST or np.ptp(x) == 0:
        return None
    line = regression.line(x, y)
    ends = np.linspace(x.min(), x.max(), 50)
    axes.plot(ends, line.at(ends), color=colour, linewidth=1)
    if band:
        half = line.half_band(ends)
        axes.fill_between(ends, line.at(ends) - half, line.at(ends) + half, color=colour, alpha=0.2, linewidth=0)
    return line
