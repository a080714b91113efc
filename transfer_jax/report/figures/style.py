"""What all figures share: colours, panels, and how a figure becomes bytes."""

from __future__ import annotations

import io
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's palette, which people who see colours differently can tell apart; for its yellow,
# which is too pale for lines on white, a dark red.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#882255")
_DASHES = ("-", "--", ":", "-.")
_WIDE, _SQUARE = 3, 4  # panels side by side; this many are set two by two
_CHARACTERS = 12  # of a legend, side by side per inch


def colour(i: int) -> str:
    """Returns the colour of the i-th arm or curve."""
    return COLOURS[i % len(COLOURS)]


def dashes(i: int) -> str:
    """Returns the line style of the i-th arm or curve: others where the colours begin again."""
    return _DASHES[i // len(COLOURS) % len(_DASHES)]


def png(figure: Figure) -> bytes:
    """Returns the figure as a PNG file, and closes it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    plt.close(figure)
    return buffer.getvalue()


def open_sides(axes: Axes) -> None:
    """Removes the frame at the top and on the right."""
    axes.spines[["top", "right"]].set_visible(False)


def legend_below(figure: Figure, axes: Axes, most: int = 4) -> None:
    """Puts the legend of a panel below the whole figure.

    Args:
      figure: The figure.
      axes: The panel whose lines are named.
      most: Number of columns, at most; fewer where names are long.
    """
    handles, names = axes.get_legend_handles_labels()
    longest = max(map(len, names), default=1)
    room = int(_CHARACTERS * figure.get_figwidth())
    columns = max(1, min(most, len(names), room // (longest + 8)))
    figure.legend(
        handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )


def columns_of(count: int) -> int:
    """Returns how many of `count` panels stand side by side."""
    return 2 if count == _SQUARE else min(count, _WIDE)


def name_outer(axes_of: Any, x: str, y: str) -> None:
    """Names the axes of panels that share them, on the left and below the lowest of each column."""
    columns = columns_of(len(axes_of))
    for i, axes in enumerate(axes_of):
        if i % columns == 0:
            axes.set_ylabel(y, fontsize=9)
        if i + columns >= len(axes_of):
            axes.set_xlabel(x, fontsize=9)


def panels(count: int, height: float = 2.7, width: float = 8) -> tuple[Figure, Any]:
    """Returns a figure with `count` panels, and the panels.

    Args:
      count: Number of panels.
      height: Height of a row, inches.
      width: Width of the figure, inches.
    """
    columns = columns_of(count)
    rows = -(-count // columns)
    size = (width, height * rows + 0.6)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for empty in axes.flat[count:]:
        empty.set_axis_off()
    for panel in axes.flat:
        open_sides(panel)
        panel.tick_params(labelsize=8)
        panel.xaxis.set_major_locator(MaxNLocator(5))
    return figure, axes.flat[:count]
