"""Exact evaluation of all members in one pass over the images."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
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
      A report per member:
        "auc": Mean over the labels that have both classes; NaN where none has, or a score is NaN.
        "loss": Mean over the targets that count.
        "diverged": Whether the loss, a score or a variable is not finite.
        "auc/<i>": AUC of label i, and "auc_labels": number of labels in the mean; only where there
          are several labels.
    """
    reports = {}
    for name, prediction in judged(members, batches, predict).items():
        targets, mask, scores = prediction.targets, prediction.mask, prediction.scores
        if kind == "multiclass":
            targets = ranking.one_against_rest(targets, classes)
            mask = jnp.broadcast_to(mask, scores.shape)
        loss = prediction.loss / jnp.maximum(prediction.count, 1)
        finite = all_finite((members[name], scores, loss))
        reports[name] = (ranking.count_pairs(scores, targets, mask), loss, finite)
    # Fetched only now: until here nothing waits for the device.
    return {name: _report(ranking.auc(counts), float(loss), bool(finite)) for name, (counts, loss, finite) in reports.items()}


@jax.jit
def all_finite(tree: Any) -> Array:
    """Returns whether every number in the tree's arrays is finite, as a boolean array of shape []."""
    leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]
    return jnp.stack(leaves).all() if leaves else jnp.bool_(True)


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


def _report(auc: np.ndarray, loss: float, finite: bool) -> dict[str, float]:
    defined = auc[~np.isnan(auc)]
    mean = float(defined.mean()) if len(defined) else float("nan")
    report = {"auc": mean, "loss": loss, "diverged": not finite}
    if len(auc) == 1:
        return report
    by_label = {f"auc/{i}": float(value) for i, value in enumerate(auc)}
    return report | {"auc_labels": len(defined)} | by_label
