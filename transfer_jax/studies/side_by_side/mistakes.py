"""Whether two trained networks make the same mistakes on images whose labels are known."""

from __future__ import annotations

import functools

import numpy as np
from scipy import special

from transfer_jax.analysis import agreement
from transfer_jax.analysis.agreement import Agreement
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import task
from transfer_jax.data.records import Records
from transfer_jax.data.task import Task
from transfer_jax.studies import predicting, trained
from transfer_jax.studies.shown import Shown
from transfer_jax.studies.trained import Trained


class Mistakes:
    """Compares networks by their predictions of one task; what it compiles serves all networks of one form."""

    def __init__(self, goal: Task, records: Records) -> None:
        """Predictions of `goal`, from `common_task`, for images of `records`."""
        self._goal, self._records = goal, records
        self._scores = functools.cache(trained.scores)

    def __call__(self, first: Trained, second: Trained, images: Shown) -> dict[str, Agreement]:
        """Label -> agreement of the predictions.

        Raises:
          AnalysisError: no image has a label, or a network gives NaN.
        """
        ours, theirs = (
            special.expit(predicting.log_odds(self._scores(one.form, one.outputs()), one.variables, images).astype(np.float64))
            for one in (first, second)
        )
        labels = {label: values[images.positions] for label, values in self._records.rows.labels.items()}
        targets = self._goal.targets(labels, training=False)
        found = agreement.compare(self._goal.kind, ours, theirs, targets.values, targets.weights != 0)
        return dict(zip(self._goal.labels, found, strict=True))


def common_task(a: Trained, b: Trained, records: Records) -> Task:
    """What both networks predict, as a task of the data set.

    Raises:
      ConfigError: one predicts nothing, they predict different things, or the data set does not say what is right.
    """
    ours, theirs = a.outputs(), b.outputs()
    if ours != theirs:
        raise ConfigError(f"{a.where} predicts {ours.described()}, {b.where} {theirs.described()}")
    known = records.manifest.values()
    values = {value for label in ours.labels for value in known.get(label, ())}
    if ours.kind == "binary" and ours.threshold is None and max(values, default=0) > 1:
        raise ConfigError(f"the cards do not say from which value of {ours.labels[0]} on it is positive")
    goal = task.make(records.manifest.name, known, ours.kind, ours.labels, ours.threshold)
    if goal.num_outputs != ours.count:
        raise ConfigError(f"the networks tell {ours.count} classes of {ours.labels[0]} apart, {records.manifest.name} has {goal.num_outputs}")
    return goal
