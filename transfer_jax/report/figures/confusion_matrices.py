"""Confusion matrices: which class is taken for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from transfer_jax.report.figures.style import png

MOST_CLASSES = 20  # whose counts can be read
# (number of classes up to which, matrices side by side, width of each in inches)
_SIZES = ((3, 3, 2.4), (8, 2, 3.6), (MOST_CLASSES, 1, 7.0))


def confusion(
    matrices: Mapping[str, Int[np.ndarray, "k k"]], classes: Sequence[str], label: str
) -> bytes:
    """Draws a confusion matrix per arm: counts, shaded by their share of the row.

    Args:
      matrices: Arm -> counts, [true class, predicted class].
      classes: Names of the k classes, at most `MOST_CLASSES`.
      label: What the classes are of, for the axes.
    """
    most, width = next((most, width) for k, most, width in _SIZES if len(classes) <= k)
    columns = min(most, len(matrices))
    rows = -(-len(matrices) // columns)
    height = 0.8 * width + 0.2 + min(0.07 * max(map(len, classes)), 1.5)
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns + 0.8, height * rows), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for axis in axes.flat[len(matrices) :]:
        axis.set_axis_off()
    for axis, (arm, counts) in zip(axes.flat, matrices.items(), strict=False):
        image = _draw(axis, counts, classes)
        axis.set_title(arm, fontsize=9, wrap=True)
        axis.set_xlabel(f"predicted {label}", fontsize=9)
        axis.set_ylabel(f"true {label}", fontsize=9)
    bar = figure.colorbar(image, ax=axes, ticks=[0, 0.5, 1], shrink=0.6 / rows, pad=0.02)
    bar.set_label("share of the true class", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return png(figure)


def _draw(axes: Axes, counts: np.ndarray, classes: Sequence[str]) -> AxesImage:
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(totals, totals, 1)
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    widest = max(len(f"{count}") for count in counts.flat)
    size = min(10.0, 60 / len(counts), 150 / (len(counts) * widest))
    for i, j in np.ndindex(*counts.shape):
        ink = "white" if shares[i, j] > 0.55 else "black"
        axes.text(j, i, f"{counts[i, j]}", ha="center", va="center", fontsize=size, color=ink)
    places = range(len(classes))
    names = [name if len(name) <= 24 else f"{name[:23]}…" for name in classes]
    axes.set_xticks(places, names)
    if max(map(len, names)) > 3:
        plt.setp(axes.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    return image
