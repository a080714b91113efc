"""Rows of a summary as text: a mean with its spread and its interval, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Returns the header and cells of a table with a line per group, label and metric."""
    header = ["group", "images", "patients", "label", "metric", "value", "95 % interval"]
    cells = [
        [
            row["group"] or "all",
            str(row["images"]),
            str(row["patients"]),
            row["label"],
            row["metric"],
            _value(row),
            interval(row["low"], row["high"], 4),
        ]
        for row in rows
    ]
    return header, cells


def _value(row: Row) -> str:
    if not math.isfinite(row["mean"]):
        return f"- ({row['reason']})"
    text = f"{row['mean']:.4f}"
    return f"{text} ({row['highest']} above {row['lowest']})" if row.get("highest") else text


def gap_in_words(row: Row | None, digits: int = 3) -> str:
    """Describes a largest gap: "sex=F above sex=M by 0.021 [0.008, 0.034]", "no difference seen
    (0.004 [0.000, 0.018], ...)" where its interval holds zero, or why it is not known.
    """
    if row is None:
        return "-"
    seen, pair = f"{row['mean']:.{digits}f}", f"{row['highest']} above {row['lowest']}"
    between = interval(row["low"], row["high"], digits)
    if math.isnan(row["mean"]):
        return f"not known ({row['reason']})"
    if between == "-":
        return f"not known ({pair} by {seen}; {row['reason']})"
    if row["low"] <= 0:
        return f"no difference seen ({pair} by {seen} {between})"
    return f"{pair} by {seen} {between}"


def number(row: Row | None, digits: int = 3) -> str:
    """Returns `mean ± std [low, high]`, or why there is no number.

    Why there is no interval is too long for a cell; the table of the summary says it.
    """
    if row is None:
        return "-"
    if math.isnan(row["mean"]):
        return f"- ({row['reason']})" if row["reason"] else "-"
    text = f"{row['mean']:.{digits}f}"
    if not math.isnan(row["std"]):
        text += f" ± {row['std']:.{digits}f}"
    between = interval(row["low"], row["high"], digits)
    if between != "-":
        return f"{text} {between}"
    return f"{text} (no interval)" if row["reason"] else text


def p_value(p: float | None) -> str:
    """Returns a p-value with as many digits as say something."""
    if p is None or math.isnan(p):
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(
    low: float | None, high: float | None, digits: int = 3, *, signed: bool = False
) -> str:
    """Returns "[low, high]", or "-" where there is no interval."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "-"
    sign = "+" if signed else ""
    return f"[{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"
