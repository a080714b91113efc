"""Summaries and differences as cells of text tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from transfer_jax.report.summaries import Difference, Summary
from transfer_jax.stats.intervals import Interval, Spread

HEADER = ("arm", "repeats", "final AUC", "best AUC", "steps to AUC >= {threshold:g}")
DIFFERENCES = (
    "arm",
    "final AUC",
    "repeats",
    "steps to AUC >= {threshold:g}",
    "repeats that both reached it",
)


def header(names: Sequence[str], threshold: float) -> tuple[str, ...]:
    """Returns the header of a table with the threshold filled in."""
    return tuple(name.format(threshold=threshold) for name in names)


def cells(summary: Summary) -> tuple[str, ...]:
    """Returns the cells of a summary, in the order of `HEADER`."""
    if summary.reached == 0:
        steps = "not reached"
    else:
        steps = spread(summary.steps, 0)
        if summary.reached < summary.repeats:
            steps += f" ({summary.reached} of {summary.repeats})"
    repeats = str(summary.repeats)
    if summary.counted < summary.repeats:
        repeats = f"{summary.counted} of {repeats}"
    final = [spread(summary.final, 3)] if summary.counted else []
    if summary.diverged:
        final.append(_divergence(summary))
    return (summary.arm, repeats, "; ".join(final) or "-", spread(summary.best, 3), steps)


def _divergence(summary: Summary) -> str:
    """Returns which repeats of an arm diverged, and when, in words."""
    by_step: dict[int, list[int]] = {}
    for repeat, step in summary.diverged.items():
        by_step.setdefault(step, []).append(repeat)
    if len(by_step) == 1 and len(summary.diverged) == summary.repeats:
        return f"diverged at step {next(iter(by_step))}"
    return "; ".join(
        f"repeat{'s' if len(repeats) > 1 else ''} {', '.join(map(str, repeats))} "
        f"diverged at step {step}"
        for step, repeats in by_step.items()
    )


def difference_cells(difference: Difference) -> tuple[str, ...]:
    """Returns the cells of a difference, in the order of `DIFFERENCES`.

    An asterisk marks an interval that does not contain zero.
    """
    auc, steps = difference.auc, difference.steps
    return (
        difference.arm,
        interval(auc, 4),
        str(auc.number),
        interval(steps, 1),
        str(steps.number),
    )


def interval(value: Interval, digits: int) -> str:
    """Returns `mean ± half` (marked where zero lies outside), the mean alone, or "-"."""
    if math.isnan(value.mean):
        return "-"
    if math.isnan(value.half):
        return f"{value.mean:+.{digits}f}"
    return f"{value.mean:+.{digits}f} ± {value.half:.{digits}f}{' *' if value.clear else ''}"


def spread(value: Spread, digits: int) -> str:
    """Returns `mean ± std`, the mean alone of one repeat, or "-" of none."""
    if math.isnan(value.mean):
        return "-"
    text = f"{value.mean:.{digits}f}"
    return text if math.isnan(value.std) else f"{text} ± {value.std:.{digits}f}"


def plain(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in aligned columns, for a terminal."""
    lines = [names, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def counts(values: Sequence[int]) -> str:
    """Returns equal counts as one number, others as "lowest to highest"."""
    if len(set(values)) == 1:
        return f"{values[0]:,}"
    return f"{min(values):,} to {max(values):,}"
