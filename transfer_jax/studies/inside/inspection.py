"""The look inside a finished study: similarity of its networks, stage by stage, and agreement of their predictions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

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
from transfer_jax.train import evaluate, objective, step
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


def inspect(study: Study, opened: Opened, module: Any, probe: Probe, plans: Sequence[Plan], after: Mapping[str, Any], mesh: Mesh) -> Inside:
    """Compares the members of a study.

    Args:
      study: that is finished.
      opened: its data.
      module: its network.
      probe: compares its networks.
      plans: what members were before their training.
      after: member -> variables.
      mesh: the devices.
    """
    likenesses = representations.compare(study, probe, {plan.name: plan.variables for plan in plans}, after)
    return Inside(likenesses, probe.left_out, probe.images, _agreements(study, opened, module, after, mesh))


def _agreements(study: Study, opened: Opened, module: Any, after: Mapping[str, Any], mesh: Mesh) -> list[Agreed]:
    task, made = opened.task, []
    if len(study.arms) == 1:
        return []
    predict = step.make_predict(module, objective.classify(task.kind, task.widths), mesh)
    for fold, part in enumerate(opened.parts):
        repeats = range(fold, study.repeats, len(opened.parts))
        members = {arm.member(repeat): after[arm.member(repeat)] for repeat in repeats for arm in study.arms}
        said = evaluate.judged(members, feed.stored(opened, part.val, mesh, batch_size=_BATCH * mesh.size), predict)
        for arm in study.arms[1:]:
            for repeat in repeats:
                found = _agreement(task.kind, said[arm.member(repeat)], said[study.arms[0].member(repeat)])
                made += [Agreed(arm.name, repeat, label, each) for label, each in zip(task.labels, found, strict=False)]
    return sorted(made, key=lambda each: each.repeat)


def _agreement(kind: str, own: Prediction, first: Prediction) -> tuple[Agreement, ...]:
    try:
        return agreement.compare(kind, np.asarray(own.scores), np.asarray(first.scores), np.asarray(own.targets), np.asarray(own.mask))
    except AnalysisError as error:
        logging.warning("predictions are not compared: %s", error)
        return ()


def to_rows(agreements: Sequence[Agreed]) -> list[dict[str, Any]]:
    """As rows of agreement.csv."""
    return [{"arm": each.arm, "repeat": each.repeat, "label": each.label, **each.found._asdict()} for each in agreements]
