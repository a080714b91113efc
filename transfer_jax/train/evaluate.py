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
    reports = {}
    for name, found in judged(members, batches, predict).items():
        targets, mask = found.targets, found.mask
        if kind == "multiclass":
            targets, mask = ranking.one_against_rest(targets, classes), jnp.broadcast_to(mask, found.scores.shape)
        reports[name] = (ranking.count_pairs(found.scores, targets, mask), found.loss / jnp.maximum(found.count, 1))
    # Fetched only now: until here nothing waits for the device.
    return {name: _report(ranking.auc(counts), float(loss)) for name, (counts, loss) in reports.items()}


def judged(members: Mapping[str, Any], batches: Iterable[DeviceBatch], predict: Predict) -> dict[str, Prediction]:
    """What every member (name -> variables) says of all images, in one pass over them; arguments as `evaluate`."""
    seen: dict[str, list[Prediction]] = {name: [] for name in members}
    for batch in batches:
        for name, variables in members.items():
            seen[name].append(predict(variables, *batch))

    def whole(parts: list[Prediction]) -> Prediction:
        joined = {field: jnp.concatenate([getattr(part, field) for part in parts]) for field in ("scores", "targets", "mask")}
        sums = {field: jnp.stack([getattr(part, field) for part in parts]).sum() for field in ("loss", "count")}
        return Prediction(**joined, **sums)

    return {name: whole(parts) for name, parts in seen.items()}


def _report(auc: np.ndarray, loss: float) -> dict[str, float]:
    both = auc[~np.isnan(auc)]
    report = {"auc": float(both.mean()) if len(both) else float("nan"), "loss": loss}
    return report if len(auc) == 1 else report | {f"auc/{i}": float(value) for i, value in enumerate(auc)}
