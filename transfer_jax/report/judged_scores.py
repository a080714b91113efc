"""Stored scores of a study's members as the figures of its report show them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from transfer_jax.metrics import grades
from transfer_jax.metrics.scored import Scored
from transfer_jax.runs.run import Run
from transfer_jax.settings import Study

MOST_LABELS = 6  # that have a panel each
MICRO = "micro"  # the average of all labels pooled
ByArm = dict[str, list[Scored]]


class Shown(NamedTuple):
    """What a report shows of single labels, groups and curves.

    Attributes:
      split: "test" where the data set has test images, otherwise "val".
      take: "best" weights where nothing about them was chosen on these images, otherwise "last".
      optimistic: Whether the images also chose something: their number of steps, by a patience.
    """

    split: str
    take: str
    optimistic: bool

    @classmethod
    def of(cls, run: Run) -> Shown:
        """Returns what the report of a study shows."""
        split = "test" if run.record.data.test else "val"
        if not chosen_on(run, split):
            return cls(split, "best", optimistic=False)
        return cls(split, "last", optimistic=_stops_early(run.study))


def chosen_on(run: Run, split: str) -> bool:
    """Returns whether images of a split chose weights: validation images, and test images that
    are the validation images, too.
    """
    return split == "val" or run.record.data.optimistic


def _stops_early(study: Study) -> bool:
    phases = [*study.recipe.phases, *(phase for arm in study.arms for phase in arm.phases or ())]
    return bool(study.recipe.patience or any(phase.patience for phase in phases))


def read(run: Run, shown: Shown) -> ByArm:
    """Returns arm -> scores of its repeats, of those that left predictions.

    Raises:
      ConfigError: A table of predictions is missing or damaged.
    """
    scores: ByArm = {}
    for arm in run.study.arms:
        scores[arm.name] = []
        for repeat in range(run.study.repeats):
            member = arm.member(repeat)
            if run.finished and run.predictions_of(member, shown.split, shown.take):
                scores[arm.name].append(run.scored(member, shown.split, shown.take))
    return scores


def by_label(scores: ByArm, referable: int | None) -> dict[str, ByArm]:
    """Returns title -> arm -> scores of one output per repeat, for curves.

    There is one title per label, or per class against the rest, and before them the referable
    grades. Where they would be more than `MOST_LABELS`, it is the referable grades alone, or all
    labels pooled.
    """
    first, views = _all(scores)[0], {}
    if referable is not None:
        disease = _of_each(scores, functools.partial(grades.referable, first=referable))
        views[_all(disease)[0].outputs[0]] = disease
    # Of two classes, each against the rest is the other one.
    outputs = first.outputs[1:] if first.exclusive and len(first.outputs) == 2 else first.outputs
    if len(views) + len(outputs) <= MOST_LABELS:
        for output in outputs:
            of_output = functools.partial(column, index=first.outputs.index(output))
            views[output] = _of_each(scores, of_output)
    elif not views:
        what = "classes" if first.exclusive else "labels"
        views[f"{MICRO}: all {len(outputs)} {what} pooled"] = _of_each(scores, pooled)
    return views


def for_calibration(scores: ByArm, referable: int | None) -> tuple[str, ByArm]:
    """Returns whose probabilities a reliability diagram shows, in words, and arm -> their scores.

    They are those of the referable grades, of the predicted class, of the only label, or of all
    labels pooled.
    """
    first = _all(scores)[0]
    if referable is not None:
        disease = _of_each(scores, functools.partial(grades.referable, first=referable))
        return f"probability of {_all(disease)[0].outputs[0]}", disease
    if first.exclusive:
        return "probability of the predicted class", scores
    if len(first.outputs) == 1:
        return f"probability of {first.outputs[0]}", scores
    return f"probabilities of all {len(first.outputs)} labels pooled", _of_each(scores, pooled)


def column(scored: Scored, index: int) -> Scored:
    """Returns the scores of one output: a label, or a class against the rest."""
    return dataclasses.replace(
        scored,
        log_odds=scored.log_odds[:, [index]],
        indicators=scored.indicators[:, [index]],
        mask=scored.mask[:, [index]],
        outputs=(scored.outputs[index],),
        exclusive=False,
        thresholds=scored.thresholds[[index]],
    )


def pooled(scored: Scored) -> Scored:
    """Returns all pairs of an image and an output that count, as scores of one output."""
    counted = scored.pooled()
    return Scored(
        log_odds=counted.log_odds[:, None],
        indicators=counted.positive[:, None].astype(np.float64),
        mask=np.ones((len(counted.positive), 1), bool),
        outputs=(MICRO,),
        exclusive=False,
    )


def class_names(scored: Scored) -> tuple[str, list[str]]:
    """Returns the label of a multiclass task, and the names of its classes, from its outputs."""
    parts = [output.rpartition("=") for output in scored.outputs]
    return parts[0][0], [name for _, _, name in parts]


def _of_each(scores: ByArm, change: Callable[[Scored], Scored]) -> ByArm:
    return {arm: [change(one) for one in repeats] for arm, repeats in scores.items()}


def _all(scores: ByArm) -> list[Scored]:
    return [one for repeats in scores.values() for one in repeats]
