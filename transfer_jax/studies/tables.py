"""Summaries as text tables."""

import math

from transfer_jax.studies.comparison import Difference, Interval
from transfer_jax.studies.results import Spread, Summary

DIFFERENCES = (
    "arm",
    "final AUC",
    "repeats",
    "steps to AUC >= {threshold:g}",
    "repeats that both reached it",
)
HEADER = ("arm", "repeats", "final AUC", "best AUC", "steps to AUC >= {threshold:g}")


def cells(summary: Summary) -> tuple[str, ...]:
    """Returns a summary's cells, in the order of `HEADER`."""
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
    """Says which repeats of an arm diverged, and when."""
    by_step: dict[int, list[int]] = {}
    for repeat, step in summary.diverged.items():
        by_step.setdefault(step, []).append(repeat)
    if len(by_step) == 1 and len(summary.diverged) == summary.repeats:
        return f"diverged at step {next(iter(by_step))}"
    return "; ".join(
        f"repeat{'s' if len(repeats) > 1 else ''} {', '.join(map(str, repeats))} diverged at step {step}" for step, repeats in by_step.items()
    )


def difference_cells(difference: Difference) -> tuple[str, ...]:
    """Returns a difference's cells, in the order of `DIFFERENCES`.

    An asterisk marks an interval that zero lies outside of.
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
    """`mean ± half`, marked where zero lies outside."""
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


def plain(header: tuple[str, ...], rows: list[tuple[str, ...]], threshold: float) -> str:
    """A table in aligned columns for a terminal."""
    lines = [tuple(h.format(threshold=threshold) for h in header), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
