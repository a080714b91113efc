"""A study's pictures, as PNG bytes; the one place that knows matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

import matplotlib

matplotlib.use("Agg")
import numpy as np
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from transfer_jax.analysis import filters
from transfer_jax.settings import Study
from transfer_jax.studies.results import History, Summary
from transfer_jax.train import early_stop

LOWEST_AUC = 0.45
# Okabe and Ito's palette: told apart by people who see colours differently.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#F0E442")


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; it is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    plt.close(figure)
    return buffer.getvalue()


def convergence(study: Study, history: History) -> bytes:
    """Draws the validation AUC over steps, with the threshold dashed.

    A thin line per repeat, which ends in a cross before the repeat diverged; a thick line for the mean
    of the repeats that did not.
    """
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for i, arm in enumerate(study.arms):
        colour = COLOURS[i % len(COLOURS)]
        curves: list[list[tuple[int, float]]] = []
        for repeat in range(study.repeats):
            entries = [e for e in history if e["member"] == arm.member(repeat)]
            curve = [(e["step"], e["auc"]) for e in early_stop.sound(entries)]
            if curve:
                axes.plot(*zip(*curve, strict=True), color=colour, alpha=0.3, linewidth=0.8)
            if len(curve) == len(entries):
                curves.append(curve)
            elif curve:  # where a member was last seen before it diverged
                axes.plot(*curve[-1], "x", color=colour, markersize=7)
        # A member that has stopped early keeps its last AUC in the mean; one that diverged is left out of it.
        steps = sorted({step for curve in curves for step, _ in curve})
        mean = [np.mean([max(point for point in curve if point[0] <= step)[1] for curve in curves]) for step in steps]
        axes.plot(steps, mean, color=colour, linewidth=2, label=arm.name)
    axes.axhline(study.threshold_auc, color="grey", linestyle="--", linewidth=0.8)
    axes.set(xlabel="training step", ylabel="validation AUC", xlim=(0, study.recipe.steps))
    # Untrained networks score anything; their first points would squeeze the rest.
    axes.set_ylim(bottom=max(axes.get_ylim()[0], LOWEST_AUC))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return png(figure)


def final_auc(summaries: list[Summary], rows: list[dict]) -> bytes:
    """The final AUC of every member as a dot, the arms' means as bars of ink."""
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(summaries) + 1.1), layout="constrained")
    for i, summary in enumerate(summaries):
        values = [row["final_auc"] for row in rows if row["arm"] == summary.arm]
        axes.plot(values, [i] * len(values), "o", color=COLOURS[i % len(COLOURS)], alpha=0.7)
        axes.plot([summary.final.mean] * 2, [i - 0.3, i + 0.3], color=COLOURS[i % len(COLOURS)], linewidth=2)
    axes.set_yticks(range(len(summaries)), [s.arm for s in summaries])
    axes.invert_yaxis()
    axes.set_xlabel("final validation AUC (dots: repeats, bar: mean)")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def steps_to_threshold(summaries: list[Summary], rows: list[dict], threshold: float) -> bytes:
    """The steps to the threshold of every member as a dot, the arms' means as bars of ink; members that never reached it are left out."""
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(summaries) + 1.1), layout="constrained")
    for i, summary in enumerate(summaries):
        values = [row["steps_to_threshold"] for row in rows if row["arm"] == summary.arm and row["steps_to_threshold"] is not None]
        axes.plot(values, [i] * len(values), "o", color=COLOURS[i % len(COLOURS)], alpha=0.5)
        axes.plot([summary.steps.mean] * 2, [i - 0.3, i + 0.3], color=COLOURS[i % len(COLOURS)], linewidth=2)
    axes.set_yticks(range(len(summaries)), [f"{s.arm} ({s.reached} of {s.repeats})" for s in summaries])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(f"first evaluation with AUC >= {threshold:g}, training step (dots: repeats, bar: mean)")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def first_layer(before: Mapping[str, Float[np.ndarray, "k k c d"]], after: Mapping[str, Float[np.ndarray, "k k c d"]]) -> bytes:
    """First-layer filters of every arm before (where that is known) and after training; the two pictures of an arm share one scale."""
    pictures: list[tuple[str, np.ndarray, float] | None] = []
    for arm, kernel in after.items():
        scale = float(max(np.abs(values).max() for values in (kernel, before.get(arm, kernel))))
        if arm in before:
            pictures += [(f"{arm}, before", before[arm], scale), (f"{arm}, after", kernel, scale)]
        else:
            pictures += [(arm, kernel, scale), None] if before else [(arm, kernel, scale)]
    rows = math.ceil(len(pictures) / 2)
    figure, axes = plt.subplots(rows, 2, figsize=(8, 1.9 * rows), layout="constrained", squeeze=False)
    for axis, picture in zip(axes.flat, [*pictures, None], strict=False):
        axis.set_axis_off()
        if picture is not None:
            title, values, scale = picture
            axis.imshow(filters.grid(values, scale), interpolation="nearest")
            axis.set_title(f"{title} (±{scale:.2f})", fontsize=9)
    return png(figure)


def kernels(pictures: Mapping[str, Float[np.ndarray, "kh kw c d"]]) -> bytes:
    """First-layer kernels one below the other, each under its title and on its own scale."""
    grids = {title: filters.grid(kernel) for title, kernel in pictures.items()}
    heights = [grid.shape[0] / grid.shape[1] for grid in grids.values()]
    figure, axes = plt.subplots(
        len(grids), 1, figsize=(8, sum(8 * h + 0.3 for h in heights)), height_ratios=heights, layout="constrained", squeeze=False
    )
    for row, ((title, kernel), grid) in enumerate(zip(pictures.items(), grids.values(), strict=True)):
        axes[row, 0].imshow(grid, interpolation="nearest")
        axes[row, 0].set_title(f"{title} (±{np.abs(kernel).max():.2f})", fontsize=9)
        axes[row, 0].set_axis_off()
    return png(figure)
