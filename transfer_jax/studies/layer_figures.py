"""Pictures of what is inside networks and of what they predict, as PNG bytes: similarity by stage, of all pairs of stages, of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from transfer_jax.studies.figures import COLOURS, png
from transfer_jax.studies.results import Spread

_CHANCE = "grey"


def layers(curves: Mapping[str, Sequence[Mapping[str, float]]], chance: Mapping[str, float] | None = None) -> bytes:
    """Mean CCA over the stages, a line a curve.

    Args:
      curves: name -> for each repeat, stage -> value in [0, 1]. Stages are in forward order; error bars are mean ± sample standard deviation
        over repeats, where there are several.
      chance: stage -> what activations without anything in common give, as a dashed line.

    Source: Juodelyte et al. 2023, figure 3.
    """
    stages = list(dict.fromkeys(stage for repeats in curves.values() for found in repeats for stage in found))
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for i, (name, repeats) in enumerate(curves.items()):
        spreads = [Spread.of(found[stage] for found in repeats if stage in found) for stage in stages]
        # Apart by a hair, so that error bars of several curves can be told from one another.
        places = np.arange(len(stages)) + 0.05 * (i - (len(curves) - 1) / 2)
        errors = [s.std for s in spreads] if len(repeats) > 1 else None
        axes.errorbar(
            places, [s.mean for s in spreads], yerr=errors, color=COLOURS[i % len(COLOURS)],
            marker="o", markersize=4, linewidth=1.5, elinewidth=1, capsize=3, label=name,
        )  # fmt: skip
    if chance:
        axes.plot(
            range(len(stages)),
            [chance.get(stage, np.nan) for stage in stages],
            color=_CHANCE,
            linestyle="--",
            marker="_",
            linewidth=1,
            label="chance",
        )
    axes.set_xticks(range(len(stages)), stages)
    axes.set(xlabel="stage", ylabel="mean CCA similarity", ylim=(0, 1.03), xlim=(-0.4, len(stages) - 0.6))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=2)
    return png(figure)


def heatmap(values: Float[np.ndarray, "r c"], rows: Sequence[str], cols: Sequence[str], title: str, axes_names: tuple[str, str] = ("", "")) -> bytes:
    """Similarities of every pair of stages, with the numbers in the cells.

    Args:
      values: in [0, 1]; NaN cells stay empty.
      rows: names of the rows, the first at the top.
      cols: names of the columns.
      title: above the picture.
      axes_names: of the rows' network and of the columns'.
    """
    figure, axes = plt.subplots(figsize=(1.9 + 0.85 * len(cols), 1.4 + 0.55 * len(rows)), layout="constrained")
    shown = axes.imshow(values, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for i, j in np.ndindex(*values.shape):
        if not np.isnan(values[i, j]):
            axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=9, color="white" if values[i, j] < 0.55 else "black")
    axes.set_xticks(range(len(cols)), cols)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=10)
    axes.set(ylabel=axes_names[0], xlabel=axes_names[1])
    axes.spines[:].set_visible(False)
    figure.colorbar(shown, ax=axes, ticks=[0, 0.5, 1], shrink=0.8).outline.set_visible(False)
    return png(figure)


def agreement(found: Mapping[str, Sequence[tuple[float, float]]]) -> bytes:
    """Prediction similarity beside the level of independent mistakes: dots for repeats, bars of ink for their means.

    Args:
      found: label -> for each repeat (similarity, independent level), shares in [0, 1].

    Source: Juodelyte et al. 2023, figure 5.
    """
    figure, axes = plt.subplots(figsize=(8, 0.7 * len(found) + 1.3), layout="constrained")
    kinds = (("both right or both wrong", COLOURS[6], -0.14), ("if mistakes were independent", COLOURS[1], 0.14))
    for column, (name, colour, shift) in enumerate(kinds):
        for row, pairs in enumerate(found.values()):
            values = [pair[column] for pair in pairs]
            axes.plot(values, [row + shift] * len(values), "o", color=colour, alpha=0.6, label=name if row == 0 else None)
            axes.plot([np.mean(values)] * 2, [row + shift - 0.11, row + shift + 0.11], color=colour, linewidth=2.5)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("share of the images (dots: repeats, bar: mean)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=2)
    return png(figure)
