"""Exact evaluation of all members in one pass over the images."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from transfer_jax.metrics import ranking
from transfer_jax.train.step import Predict, Prediction

DeviceBatch = tuple[Array, Array, Array]


def evaluate(members: Mapping[str, Any], batches: Iterable[DeviceBatch], predict: Predict, kind: str, classes: int) -> dict[str, dict[str, float]]:
    """Evaluates every member on the same batches; scores stay on the device until all are there.

    Args:
      members: name -> variables.
      batches: (images, targets, weights) on the device; rows whose weights are 0 count for nothing.
      predict: from `make_predict`.
      kind: of the task; classes of a "multiclass" task are scored one against the rest.
      classes: number of the network's outputs.

    Returns:
      name -> {"auc": mean over labels that have both classes, "loss": mean, "auc/<i>": of label i where there are several}.
    """
    seen: dict[str, list[Prediction]] = {name: [] for name in members}
    for batch in batches:
        for name, variables in members.items():
            seen[name].append(predict(variables, *batch))
    reports = {}
    for name, predictions in seen.items():
        scores, targets, mask = (jnp.concatenate([getattr(p, field) for p in predictions]) for field in ("scores", "targets", "mask"))
        if kind == "multiclass":
            targets, mask = ranking.one_against_rest(targets, classes), jnp.broadcast_to(mask, scores.shape)
        loss, count = sum(p.loss for p in predictions), sum(p.count for p in predictions)
        reports[name] = (ranking.count_pairs(scores, targets, mask), loss / jnp.maximum(count, 1))
    # Fetched only now: until here nothing waits for the device.
    return {name: _report(ranking.auc(counts), float(loss)) for name, (counts, loss) in reports.items()}


def _report(auc: np.ndarray, loss: float) -> dict[str, float]:
    both = auc[~np.isnan(auc)]
    report = {"auc": float(both.mean()) if len(both) else float("nan"), "loss": loss}
    return report if len(auc) == 1 else report | {f"auc/{i}": float(value) for i, value in enumerate(auc)}
