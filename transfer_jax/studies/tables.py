"""Summaries as text tables."""

import math

from transfer_jax.studies.results import Spread, Summary

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


def spread(value: Spread, digits: int) -> str:
    """`mean ± std`, or the mean alone where there is one repeat."""
    text = f"{value.mean:.{digits}f}"
    return text if math.isnan(value.std) else f"{text} ± {value.std:.{digits}f}"


def plain(summaries: list[Summary], threshold: float) -> str:
    """The table in aligned columns for a terminal."""
    lines = [tuple(h.format(threshold=threshold) for h in HEADER), *(cells(s) for s in summaries)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
