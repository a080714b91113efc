"""Supervised classification: cross-entropy of the head's outputs and of any auxiliary heads'."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from transfer_jax.losses import classification, weighted_mean
from transfer_jax.metrics import scored
from transfer_jax.objectives.protocol import Apply, Aux, DeviceBatch, Needs, Predicted

# Weight of the loss of an auxiliary head (Inception-v3), as in the training programs of TF-slim and
# torchvision.
AUXILIARY = 0.4
_NEEDS = Needs()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Supervised:
    """Cross-entropy of a classification task, as an `Objective`.

    Attributes:
      kind: "binary", "multilabel" or "multiclass".
      widths: Number of outputs per label, as in `losses.classification`; () is one per label.
    """

    kind: str
    widths: tuple[int, ...] = ()
    needs: Needs = _NEEDS
    logged: tuple[str, ...] = ("loss", "accuracy")

    def init(self, key: jax.Array, module: nn.Module, variables: Any) -> tuple[Any, Any]:
        """Returns no parameters and no state: the network's own head is all that is needed."""
        del key, module, variables
        return {}, {}

    def loss(
        self, apply: Apply, params: Any, state: Any, batch: DeviceBatch, key: jax.Array
    ) -> tuple[Float[Array, ""], Aux]:
        """Returns the mean cross-entropy over the targets that count; logs it and the accuracy."""
        del params
        forward = apply(batch["images"], train=True, key=key)
        targets, weights = batch["targets"], batch["weights"]
        value = weighted_mean(self._losses(forward.logits, targets), weights)
        for logits in forward.auxiliary:
            value += AUXILIARY * weighted_mean(self._losses(logits, targets), weights)
        correct = classification.correct(self.kind, forward.logits, targets, self.widths)
        accuracy = weighted_mean(correct, (weights != 0).astype(weights.dtype))
        return value, Aux(state, forward.batch_stats, {"loss": value, "accuracy": accuracy})

    def predict(self, apply: Apply, params: Any, batch: DeviceBatch) -> Predicted:
        """Returns the log-odds of every label or class, and the cross-entropy of every target."""
        del params
        logits = apply(batch["images"], train=False).logits
        scores = classification.scores(self.kind, logits, self.widths)
        return Predicted(scores, self._losses(logits, batch["targets"]))

    def indicators(
        self,
        targets: Float[np.ndarray, "n t"],
        mask: Bool[np.ndarray, "n t"],
        scores: Float[np.ndarray, "n s"],
    ) -> tuple[Float[np.ndarray, "n s"], Bool[np.ndarray, "n s"]]:
        """Returns the targets themselves; for a multiclass task, each class against the rest."""
        return scored.indicators(targets, mask, scores.shape[1], self.kind == "multiclass")

    def _losses(self, logits: Array, targets: Array) -> Array:
        return classification.per_output(self.kind, logits, targets, self.widths)
