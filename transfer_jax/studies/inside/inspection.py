"""The look inside a finished study: similarity of its networks, stage by stage, and agreement of their predictions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from scipy import special

from transfer_jax.analysis import agreement
from transfer_jax.analysis.agreement import Agreement
from transfer_jax.core.errors import AnalysisError
from transfer_jax.settings import Study
from transfer_jax.studies import feed
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.inside import representations
from transfer_jax.studies.inside.probe import Probe
from transfer_jax.studies.inside.representations import Likeness
from transfer_jax.studies.plan import Plan
from transfer_jax.studies.session import Outcome
from transfer_jax.train import early_stop, evaluate, objective, step
from transfer_jax.train.step import Prediction

_BATCH = 128  # per device


class Agreed(NamedTuple):
    """How a member of an arm and that of the first arm in the same repeat agree on a label."""

    arm: str
    repeat: int
    label: str
    found: Agreement


class Inside(NamedTuple):
    """What was found.

    Attributes:
      likenesses: of all pairs and stages.
      left_out: stages that could not be compared, each with the reason.
      images: number of images that similarity was measured on.
      agreements: on all validation images.
    """

    likenesses: list[Likeness]
    left_out: Mapping[str, str]
    images: int
    agreements: list[Agreed]


def inspect(
    study: Study,
    opened: Opened,
    module: Any,
    probe: Probe,
    plans: Sequence[Plan],
    outcome: Outcome,
    mesh: Mesh,
) -> Inside:
    """Compares the members of a study that have not diverged.

    Args:
      study: The finished study.
      opened: Its data.
      module: Its network.
      probe: Compares two networks.
      plans: What the members were before their training.
      outcome: What their training gave.
      mesh: The devices.
    """
    diverged = early_stop.diverged(outcome.history)
    after = {name: values for name, values in outcome.variables.items() if name not in diverged}
    likenesses = representations.compare(study, probe, {plan.name: plan.variables for plan in plans}, after)
    return Inside(likenesses, probe.left_out, probe.images, _agreements(study, opened, module, after, mesh))


def _agreements(study: Study, opened: Opened, module: Any, after: Mapping[str, Any], mesh: Mesh) -> list[Agreed]:
    task, made = opened.task, []
    if len(study.arms) == 1:
        return []
    predict = step.make_predict(module, objective.classify(task.kind, task.widths), mesh)
    for fold, part in enumerate(opened.parts):
        repeats = range(fold, study.repeats, len(opened.parts))
        names = [arm.member(repeat) for repeat in repeats for arm in study.arms]
        members = {name: after[name] for name in names if name in after}
        said = evaluate.judged(members, feed.stored(opened, part.val, mesh, batch_size=_BATCH * mesh.size), predict)
        for arm in study.arms[1:]:
            for repeat in repeats:
                pair = arm.member(repeat), study.arms[0].member(repeat)
                if not all(name in said for name in pair):
                    continue
                found = _agreement(task.kind, *(said[name] for name in pair))
                made += [Agreed(arm.name, repeat, label, each) for label, each in zip(task.labels, found, strict=False)]
    return sorted(made, key=lambda each: each.repeat)


def _agreement(kind: str, own: Prediction, first: Prediction) -> tuple[Agreement, ...]:
    try:
        ours, theirs = (special.expit(np.asarray(each.scores, np.float64)) for each in (own, first))
        return agreement.compare(kind, ours, theirs, np.asarray(own.targets), np.asarray(own.mask))
    except AnalysisError as error:
        logging.warning("predictions are not compared: %s", error)
        return ()


def to_rows(agreements: Sequence[Agreed]) -> list[dict[str, Any]]:
    """As rows of agreement.csv."""
    return [{"arm": each.arm, "repeat": each.repeat, "label": each.label, **each.found._asdict()} for each in agreements]
