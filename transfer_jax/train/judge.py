"""Judges members: predicts on the device, and computes metrics on the host from all scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from transfer_jax import metrics
from transfer_jax.metrics import AUC, Scored
from transfer_jax.objectives.protocol import DeviceBatch, Objective
from transfer_jax.train.step import Predict, Prediction


@dataclasses.dataclass(frozen=True)
class Judge:
    """How predictions are judged: what the objective predicts, and by which metrics.

    Attributes:
      objective: What members are trained to minimise.
      predict: Compiled by `step.compile_predict`.
      outputs: Name of every score: a label, or "label=class" of a multiclass task.
      exclusive: Whether the scores are of the classes of a multiclass task.
      metrics: Names of metrics; "auc" is measured beside them.
      referable: See `metrics.measure`.
    """

    objective: Objective
    predict: Predict
    outputs: tuple[str, ...]
    exclusive: bool
    metrics: tuple[str, ...] = (AUC,)
    referable: int | None = None

    def predictions(
        self, members: Mapping[str, tuple[Any, Any]], batches: Iterable[DeviceBatch]
    ) -> dict[str, Prediction]:
        """Returns every member's predictions of all images, in one pass over them.

        Args:
          members: Name -> (variables, objective's parameters).
          batches: Batches on the device.
        """
        parts: dict[str, list[Prediction]] = {name: [] for name in members}
        for batch in batches:
            for name, (variables, objective_params) in members.items():
                parts[name].append(self.predict(variables, objective_params, batch))
        return {name: _concatenated(predictions) for name, predictions in parts.items()}

    def scored(self, prediction: Prediction) -> Scored:
        """Returns the scores of a member and what is true of the images; waits for the device."""
        scores = np.asarray(prediction.scores)
        indicators, mask = self.objective.indicators(
            np.asarray(prediction.targets), np.asarray(prediction.mask), scores
        )
        return Scored(
            log_odds=scores,
            indicators=indicators,
            mask=mask,
            outputs=self.outputs,
            exclusive=self.exclusive,
        )

    def evaluate(
        self, members: Mapping[str, tuple[Any, Any]], batches: Iterable[DeviceBatch]
    ) -> dict[str, dict[str, float]]:
        """Evaluates every member on the same images; scores stay on the device until all are there.

        Args:
          members: Name -> (variables, objective's parameters).
          batches: Batches on the device; rows whose weights are 0 count for nothing.

        Returns:
          A report per member: every metric by its name, over all labels; "loss", the mean over the
          targets that count; "diverged", whether the loss, a score or a variable is not finite;
          then the other numbers of the metrics, "metric/label" for those of one label.
        """
        predictions = self.predictions(members, batches)
        on_device = {}
        for name, prediction in predictions.items():
            loss = prediction.loss / jnp.maximum(prediction.count, 1)
            on_device[name] = (loss, all_finite((members[name], prediction.scores, loss)))
        # Fetched only now: until here nothing waits for the device.
        return {
            name: self._report(self.scored(predictions[name]), float(loss), bool(finite))
            for name, (loss, finite) in on_device.items()
        }

    def _report(self, scored: Scored, loss: float, finite: bool) -> dict[str, float]:
        names = tuple(dict.fromkeys((AUC, *self.metrics)))
        numbers = {
            f"{metric}/{label}" if label else metric: value
            for metric, label, value, _ in metrics.measure(scored, names, self.referable)
        }
        report = {name: numbers.pop(name) for name in names}
        return {**report, "loss": loss, "diverged": not finite, **numbers}


@jax.jit
def all_finite(tree: Any) -> Array:
    """Returns whether every number in the tree's arrays is finite, a boolean array []."""
    leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]
    return jnp.stack(leaves).all() if leaves else jnp.bool_(True)


def _concatenated(parts: Sequence[Prediction]) -> Prediction:
    """Returns the predictions of all batches as one."""
    rows = {
        field: jnp.concatenate([getattr(part, field) for part in parts])
        for field in ("scores", "targets", "mask")
    }
    sums = {
        field: jnp.stack([getattr(part, field) for part in parts]).sum()
        for field in ("loss", "count")
    }
    return Prediction(**rows, **sums)
