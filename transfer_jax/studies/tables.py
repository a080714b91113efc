"""Summaries as text tables."""

import math

from transfer_jax.studies.comparison import Difference, Interval
from transfer_jax.studies.results import Spread, Summary

DIFFERENCES = ("arm", "final AUC", "steps to AUC >= {threshold:g}", "repeats with both there")
HEADER = ("arm", "repeats", "final AUC", "best AUC", "steps to AUC >= {threshold:g}")


def cells(summary: Summary) -> tuple[str, ...]:
    """A summary's cells, in the order of `HEADER`."""
    if summary.reached == 0:
        steps = "not reached"
    else:
        steps = spread(summary.steps, 0)
        if summary.reached < summary.repeats:
            steps += f" ({summary.reached} of {summary.repeats})"
    return (summary.arm, str(summary.repeats), spread(summary.final, 3), spread(summary.best, 3), steps)


def difference_cells(difference: Difference) -> tuple[str, ...]:
    """A difference's cells, in the order of `DIFFERENCES`; an asterisk where zero lies outside the interval."""
    return (difference.arm, interval(difference.auc, 4), interval(difference.steps, 1), str(difference.steps.number))


def interval(value: Interval, digits: int) -> str:
    """`mean ± half`, marked where zero lies outside."""
    if math.isnan(value.mean):
        return "-"
    if math.isnan(value.half):
        return f"{value.mean:+.{digits}f}"
    return f"{value.mean:+.{digits}f} ± {value.half:.{digits}f}{' *' if value.clear else ''}"


def spread(value: Spread, digits: int) -> str:
    """`mean ± std`, or the mean alone where there is one repeat."""
    text = f"{value.mean:.{digits}f}"
    return text if math.isnan(value.std) else f"{text} ± {value.std:.{digits}f}"


def plain(header: tuple[str, ...], rows: list[tuple[str, ...]], threshold: float) -> str:
    """A table in aligned columns for a terminal."""
    lines = [tuple(h.format(threshold=threshold) for h in header), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
