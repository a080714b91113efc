"""The interface between an objective and the training step.

An objective sees a network through an `Apply` that is bound to its variables, so that it can run
the network as often as it needs (once, or once per augmented view) without knowing where
parameters live.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Bool, Float

# A batch on the device: "images" [b, h, w, c] and the columns of `Needs.columns`, by default
# "targets" [b, t] and "weights" [b, t]. All other columns, such as "ids", stay on the host.
DeviceBatch = Mapping[str, Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Needs:
    """What an objective needs from every batch.

    Attributes:
      columns: Keys of the host batch that are sent to the device along with "images". "groups" is
        the number of each image's patient, int32 [b]; "ids" are strings and cannot be sent.
    """

    columns: tuple[str, ...] = ("targets", "weights")


class Forward(NamedTuple):
    """Result of a forward pass.

    Attributes:
      logits: Outputs of the head, [b, k].
      stages: Activations in forward order, name -> [b, h, w, c].
      auxiliary: Logits of auxiliary heads, each [b, k]; empty in evaluation.
      batch_stats: Running statistics after the pass.
    """

    logits: Array
    stages: Mapping[str, Array]
    auxiliary: tuple[Array, ...]
    batch_stats: Any


@runtime_checkable
class Apply(Protocol):
    """A network bound to its variables."""

    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool, key: jax.Array | None = None
    ) -> Forward:
        """Runs the network.

        Args:
          images: Normalised images, [b, h, w, c].
          train: Whether batch norms use the statistics of the batch, and dropout is active.
          key: Typed PRNG key of the dropout, needed if `train` is True.
        """


class Aux(NamedTuple):
    """What an objective returns along with its loss.

    Attributes:
      state: The objective's state after this step.
      batch_stats: The network's running statistics after this step.
      logged: Name -> scalar [], averaged between evaluations. The names are `Objective.logged`.
    """

    state: Any
    batch_stats: Any
    logged: dict[str, Float[Array, ""]]


class Predicted(NamedTuple):
    """Scores of a batch, and the unreduced losses that the evaluation averages.

    Attributes:
      scores: Log-odds of every label or class, [b, s].
      losses: Loss of every target, [b, t].
    """

    scores: Float[Array, "b s"]
    losses: Float[Array, "b t"]


@runtime_checkable
class Objective(Protocol):
    """Defines what a network is trained to minimise, and what it predicts."""

    @property
    def needs(self) -> Needs:
        """What the objective needs from a batch."""

    @property
    def logged(self) -> tuple[str, ...]:
        """Names of the values that `loss` logs, in the order of their columns in the history."""

    def init(self, key: jax.Array, module: nn.Module, variables: Any) -> tuple[Any, Any]:
        """Returns the objective's own parameters and state, which are kept beside the network's.

        Args:
          key: Typed PRNG key.
          module: The network.
          variables: The network's variables.

        Returns:
          (params, state): nested dicts of arrays. The parameters are trained like the network's.
        """

    def loss(
        self, apply: Apply, params: Any, state: Any, batch: DeviceBatch, key: jax.Array
    ) -> tuple[Float[Array, ""], Aux]:
        """Returns the value to minimise for one batch.

        Args:
          apply: The network in training.
          params: The objective's own parameters.
          state: The objective's own state.
          batch: The batch on the device.
          key: Typed PRNG key of this step.
        """

    def predict(self, apply: Apply, params: Any, batch: DeviceBatch) -> Predicted:
        """Returns scores and unreduced losses of one batch in evaluation."""

    def indicators(
        self,
        targets: Float[np.ndarray, "n t"],
        mask: Bool[np.ndarray, "n t"],
        scores: Float[np.ndarray, "n s"],
    ) -> tuple[Float[np.ndarray, "n s"], Bool[np.ndarray, "n s"]]:
        """Returns whether each score should be high, and whether it counts; runs on the host.

        Args:
          targets: Targets of n images.
          mask: True for the targets that count.
          scores: Scores of the same images.

        Returns:
          Indicators (above 0.5 is positive) and their mask, one column per score.
        """
