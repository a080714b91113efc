"""Whether two trained networks make the same mistakes on images whose labels are known."""

from __future__ import annotations

import functools

import numpy as np
from scipy import special

from transfer_jax.analysis import agreement
from transfer_jax.analysis.agreement import Agreement
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import task
from transfer_jax.data.storage.records import Records
from transfer_jax.data.stored_images import StoredImages
from transfer_jax.data.task import Task
from transfer_jax.runs import matching, predicting, trained
from transfer_jax.runs.trained import Trained


class Mistakes:
    """Compares networks by their predictions; networks of one form share a compiled program."""

    def __init__(self, goal: Task, records: Records) -> None:
        """Creates a comparison.

        Args:
          goal: The task, from `common_task`.
          records: Images of the data set.
        """
        self._goal, self._records = goal, records
        self._scores = functools.cache(trained.scores)

    def __call__(
        self, first: Trained, second: Trained, images: StoredImages
    ) -> dict[str, Agreement]:
        """Returns label -> agreement of the predictions.

        Raises:
          AnalysisError: No image has a label, or a network predicts NaN.
        """
        of_first, of_second = (self._probabilities(network, images) for network in (first, second))
        labels = {
            label: values[images.positions] for label, values in self._records.rows.labels.items()
        }
        targets = self._goal.targets(labels, training=False)
        agreements = agreement.compare(
            self._goal.kind, of_first, of_second, targets.values, targets.weights != 0
        )
        return dict(zip(self._goal.labels, agreements, strict=True))

    def _probabilities(self, network: Trained, images: StoredImages) -> np.ndarray:
        scores = self._scores(network.form, network.outputs())
        log_odds = predicting.log_odds(scores, network.variables, images)
        return special.expit(log_odds.astype(np.float64))


def common_task(a: Trained, b: Trained, records: Records) -> Task:
    """Returns what both networks predict, as a task of the data set.

    Raises:
      ConfigError: A network predicts nothing, they predict different things, or the data set does
        not say what is right.
    """
    outputs_a, outputs_b = a.outputs(), b.outputs()
    if not outputs_a.same(outputs_b):
        raise ConfigError(
            f"{a.where} predicts {outputs_a.described()}, {b.where} {outputs_b.described()}"
        )
    name, label_values = records.manifest.name, records.manifest.values()
    values = {value for label in outputs_a.labels for value in label_values.get(label, ())}
    outputs_a.check_values(values)
    goal = task.make(name, label_values, outputs_a.kind, outputs_a.labels, outputs_a.threshold)
    if goal.num_outputs != outputs_a.count:
        raise ConfigError(
            f"the networks tell {outputs_a.count} classes of {outputs_a.labels[0]} apart, "
            f"{name} has {goal.num_outputs}"
        )
    for label in goal.labels:
        predicted = outputs_a.names_of(label) or outputs_b.names_of(label)
        names = records.manifest.labels[label]["names"]
        numbers = matching.numbers(label, predicted, names, label_values[label], name)
        if any(value != number for value, number in numbers.items()):
            raise ConfigError(
                f"the networks number the values of {label} as {', '.join(predicted)}, {name} as "
                f"{', '.join(names)}: compare them on a data set in their order"
            )
    return goal
