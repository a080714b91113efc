"""Similarity by stage, similarity of all pairs of stages, and agreement of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from transfer_jax.report.figures.style import colour, legend_below, open_sides, png
from transfer_jax.stats.intervals import Spread

_CHANCE = "grey"


def layers(
    curves: Mapping[str, Sequence[Mapping[str, float]]],
    chance: Mapping[str, float] | None = None,
    *,
    measure: str,
) -> bytes:
    """Draws the similarity over the stages, one line per curve.

    Args:
      curves: Name -> per repeat, stage -> value in [0, 1]. Stages are in forward order; error bars
        are mean ± sample standard deviation over repeats, where there are several.
      chance: Stage -> value of activations without anything in common, drawn as a dashed line.
      measure: Title of the measure of similarity, for the axis.

    Source: Juodelyte et al. 2023, figure 3.
    """
    by_stage = (values for repeats in curves.values() for values in repeats)
    stages = list(dict.fromkeys(stage for values in by_stage for stage in values))
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for i, (name, repeats) in enumerate(curves.items()):
        spreads = [
            Spread.of(values[stage] for values in repeats if stage in values) for stage in stages
        ]
        # Shifted a little, so that error bars of several curves can be told apart.
        places = np.arange(len(stages)) + 0.05 * (i - (len(curves) - 1) / 2)
        errors = [spread.std for spread in spreads] if len(repeats) > 1 else None
        axes.errorbar(
            places, [spread.mean for spread in spreads], yerr=errors, color=colour(i),
            marker="o", markersize=4, linewidth=1.5, elinewidth=1, capsize=3, label=name,
        )  # fmt: skip
    if chance:
        levels = [chance.get(stage, np.nan) for stage in stages]
        axes.plot(
            range(len(stages)), levels, color=_CHANCE, linestyle="--", marker="_", linewidth=1,
            label="chance",
        )  # fmt: skip
    axes.set_xticks(range(len(stages)), stages)
    axes.set(xlabel="stage", ylabel=f"similarity ({measure})", ylim=(0, 1.03))
    axes.set_xlim(-0.4, len(stages) - 0.6)
    open_sides(axes)
    legend_below(figure, axes)
    return png(figure)


def heatmap(
    values: Float[np.ndarray, "r c"],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    axes_names: tuple[str, str] = ("", ""),
) -> bytes:
    """Draws the similarity of every pair of stages, with the numbers in the cells.

    Args:
      values: Similarities in [0, 1], one row per row of the picture; NaN cells stay empty.
      rows: Names of the rows, the first at the top.
      columns: Names of the columns.
      title: Title above the picture.
      axes_names: Names of the rows' network and of the columns' network.
    """
    size = (1.9 + 0.85 * len(columns), 1.4 + 0.55 * len(rows))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    image = axes.imshow(values, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for i, j in np.ndindex(*values.shape):
        if not np.isnan(values[i, j]):
            ink = "white" if values[i, j] < 0.55 else "black"
            text = f"{values[i, j]:.2f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=9, color=ink)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=10)
    axes.set(ylabel=axes_names[0], xlabel=axes_names[1])
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, ticks=[0, 0.5, 1], shrink=0.8).outline.set_visible(False)
    return png(figure)


def agreement(pairs: Mapping[str, Sequence[tuple[float, float]]]) -> bytes:
    """Draws prediction similarity beside the level of independent mistakes: a dot per repeat, bars
    for means.

    Args:
      pairs: Label -> per repeat (similarity, independent level), shares in [0, 1].

    Source: Juodelyte et al. 2023, figure 5.
    """
    figure, axes = plt.subplots(figsize=(8, 0.7 * len(pairs) + 1.3), layout="constrained")
    kinds = (
        ("both right or both wrong", colour(6), -0.14),
        ("if mistakes were independent", colour(1), 0.14),
    )
    for column, (name, ink, shift) in enumerate(kinds):
        for row, of_label in enumerate(pairs.values()):
            values = [pair[column] for pair in of_label]
            label = name if row == 0 else None
            axes.plot(values, [row + shift] * len(values), "o", color=ink, alpha=0.6, label=label)
            bar = [row + shift - 0.11, row + shift + 0.11]
            axes.plot([np.mean(values)] * 2, bar, color=ink, linewidth=2.5)
    axes.set_yticks(range(len(pairs)), list(pairs))
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("share of the images (dots: repeats, bar: mean)")
    open_sides(axes)
    figure.legend(
        *axes.get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=2
    )
    return png(figure)
