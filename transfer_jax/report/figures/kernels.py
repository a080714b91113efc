"""First-layer filters as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib import pyplot as plt

from transfer_jax.analysis import filter_grid
from transfer_jax.report.figures.style import png

_Kernels = Mapping[str, Float[np.ndarray, "kh kw c d"]]


def first_layer(before: _Kernels, after: _Kernels) -> bytes:
    """Draws the filters of every arm before (where known) and after training, on one
    scale per arm.
    """
    pictures: list[tuple[str, np.ndarray, float] | None] = []
    for arm, kernel in after.items():
        pair = (kernel, before.get(arm, kernel))
        scale = float(max(np.abs(values).max() for values in pair))
        if arm in before:
            pictures += [(f"{arm}, before", before[arm], scale), (f"{arm}, after", kernel, scale)]
        else:
            pictures += [(arm, kernel, scale), None] if before else [(arm, kernel, scale)]
    rows = math.ceil(len(pictures) / 2)
    figure, axes = plt.subplots(
        rows, 2, figsize=(8, 1.9 * rows), layout="constrained", squeeze=False
    )
    for axis, picture in zip(axes.flat, [*pictures, None], strict=False):
        axis.set_axis_off()
        if picture is not None:
            title, values, scale = picture
            axis.imshow(filter_grid.grid(values, scale), interpolation="nearest")
            axis.set_title(f"{title} (±{scale:.2f})", fontsize=9)
    return png(figure)


def kernels(pictures: _Kernels) -> bytes:
    """Draws first-layer kernels one below the other, each under its title and on its own scale."""
    grids = {title: filter_grid.grid(kernel) for title, kernel in pictures.items()}
    heights = [grid.shape[0] / grid.shape[1] for grid in grids.values()]
    figure, axes = plt.subplots(
        len(grids),
        1,
        figsize=(8, sum(8 * height + 0.3 for height in heights)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for axis, (title, grid) in zip(axes.flat, grids.items(), strict=True):
        axis.imshow(grid, interpolation="nearest")
        axis.set_title(f"{title} (±{np.abs(pictures[title]).max():.2f})", fontsize=9)
        axis.set_axis_off()
    return png(figure)
