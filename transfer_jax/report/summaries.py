"""Arms over their repeats, and arms against the first arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from transfer_jax.settings import Study
from transfer_jax.stats.intervals import Interval, Spread

Rows = Sequence[Mapping[str, Any]]


class Summary(NamedTuple):
    """An arm over its repeats.

    Attributes:
      arm: Name of the arm.
      repeats: Number of repeats.
      counted: Number of repeats that enter the means: those with an AUC that did not diverge.
      diverged: Repeat -> step of the evaluation that found it diverged.
      final: AUC at the last step.
      best: Highest AUC of each repeat's evaluations, which is optimistic: it is chosen on the
        images that it is measured on.
      reached: Number of repeats whose AUC reached the threshold at some evaluation.
      steps: Steps to the threshold, over the repeats that reached it.
    """

    arm: str
    repeats: int
    counted: int
    diverged: Mapping[int, int]
    final: Spread
    best: Spread
    reached: int
    steps: Spread


def summaries(study: Study, rows: Rows) -> list[Summary]:
    """Returns one summary per arm, in the study's order.

    Args:
      study: The study.
      rows: Rows of results.csv.
    """
    return [
        _summary(arm.name, [row for row in rows if row["arm"] == arm.name]) for arm in study.arms
    ]


def _summary(arm: str, rows: Rows) -> Summary:
    reached = [row["steps_to_threshold"] for row in rows if row["steps_to_threshold"] is not None]
    sound = [row for row in rows if row["diverged_at"] is None]
    diverged = [row for row in rows if row["diverged_at"] is not None]
    return Summary(
        arm=arm,
        repeats=len(rows),
        counted=sum(math.isfinite(row["final_auc"]) for row in sound),
        diverged={row["repeat"]: row["diverged_at"] for row in diverged},
        final=Spread.of(row["final_auc"] for row in sound),
        best=Spread.of(row["best_auc"] for row in sound),
        reached=len(reached),
        steps=Spread.of(reached),
    )


class Difference(NamedTuple):
    """An arm minus the first arm, over the repeats.

    Attributes:
      arm: Name of the arm.
      auc: Difference of the final AUC.
      steps: Difference of the steps to the threshold, over the repeats in which both reached it.
    """

    arm: str
    auc: Interval
    steps: Interval


def differences(study: Study, rows: Rows) -> list[Difference]:
    """Compares every arm with the first, paired by repeat.

    Members of a repeat saw the same batches and began from the same fresh weights. Repeats that one
    of the two arms has no row of yet are left out.
    """
    first, *others = study.arms
    by_arm = {
        arm.name: {row["repeat"]: row for row in rows if row["arm"] == arm.name}
        for arm in study.arms
    }
    reference = by_arm[first.name]
    compared = []
    for arm in others:
        pairs = [
            (row, reference[repeat])
            for repeat, row in by_arm[arm.name].items()
            if repeat in reference
        ]
        steps = [(a["steps_to_threshold"], b["steps_to_threshold"]) for a, b in pairs]
        compared.append(
            Difference(
                arm.name,
                Interval.of(a["final_auc"] - b["final_auc"] for a, b in pairs),
                Interval.of(a - b for a, b in steps if a is not None and b is not None),
            )
        )
    return compared
