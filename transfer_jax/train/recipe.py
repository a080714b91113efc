"""The training plan as the user writes it."""

from __future__ import annotations

import dataclasses

from transfer_jax import optim
from transfer_jax.core.options import choice
from transfer_jax.core.ranges import (
    NotNegativeFloat,
    NotNegativeInt,
    PositiveFloat,
    PositiveInt,
    Share,
)
from transfer_jax.optim.rates import ALL

LOSS = "loss"
BATCH_NORM = ("frozen", "moving")
ON_DIVERGENCE = ("stop", "continue")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """A number of training steps with options of their own; the recipe (or the arm) gives the rest.

    Attributes:
      steps: Number of optimiser steps, at most; the steps of all phases add up to the recipe's.
      epochs: Number of epochs, instead of `steps`, where the recipe has `epochs`.
      rates: Which parameters learn how fast, see `optim.rates`: ("head=1", "all=0") trains the head
        alone.
      optimizer: "adam" or "sgd"; its state starts afresh with the phase.
      learning_rate: Peak learning rate.
      weight_decay: Weight decay, as in the recipe.
      schedule: "constant" or "cosine", over `steps` even where the phase ends before.
      warmup: Number of steps of linear rise at the start of the phase.
      patience: Number of evaluations without a better `select` after which the phase ends: the
        member enters the next phase, or stops in the last one.
      select: Validation metric whose evaluations `patience` counts.
    """

    steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    rates: tuple[str, ...] = ALL
    optimizer: str | None = None
    learning_rate: PositiveFloat | None = None
    weight_decay: NotNegativeFloat | None = None
    schedule: str | None = None
    warmup: NotNegativeInt | None = None
    patience: PositiveInt | None = None
    select: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
      steps: Number of optimiser steps.
      epochs: Number of epochs, instead of `steps`, which is then not set. An epoch has as many
        steps as the training images fill batches, rounded up (see `train.epochs`).
      batch_size: Number of images per step, over all devices.
      objective: What is minimised, a key of `objectives.OBJECTIVES`: "supervised".
      optimizer: "adam" or "sgd".
      learning_rate: Peak learning rate; an arm may have its own.
      weight_decay: Factor of the L2 term that is added to the gradient; an arm may have its own.
      schedule: "constant" or "cosine" (to zero).
      warmup: Number of steps of linear rise before the schedule.
      momentum: Momentum of "sgd" (default 0.9).
      b1: Decay of the first moment of "adam" (default 0.9).
      b2: Decay of the second moment of "adam" (default 0.999).
      epsilon: Epsilon of "adam" (default 1e-8).
      rates: Which parameters learn how fast, see `optim.rates`: ("conv1=0", "all=1") freezes conv1,
        ("block4=0.1", "all=1") slows block4 down.
      phases: The training in several phases, each with its own rates and optimiser, instead of
        `rates`.
      batch_norm: What batch norms do in stages that are frozen entirely: "frozen" (they use their
        running statistics and keep them, like Keras) or "moving" (they use the batch's statistics
        and keep averaging, like PyTorch).
      eval_every: Number of steps between evaluations.
      eval_every_epochs: Number of epochs between evaluations, instead of `eval_every`.
      checkpoint_every: Number of steps between checkpoints.
      select: Validation metric that chooses the best weights, over all evaluations of all phases:
        "loss" or another column of the history, as "auc" or, for a single label, "auc/LABEL". What
        is better is known of each metric (`early_stop.LOWER_IS_BETTER`).
      patience: Number of evaluations without a better `select` after which a member stops (default:
        members never stop early). With phases it holds for each of them on its own, and ends a
        phase that is not the last.
      on_divergence: What happens to a member whose loss, parameters or predictions are not finite
        at an evaluation: "stop" ends its training there, "continue" trains it to the end. It counts
        as diverged either way.
    """

    steps: PositiveInt = 1000
    epochs: PositiveInt | None = None
    batch_size: PositiveInt = 32
    objective: str = "supervised"
    optimizer: str = "adam"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NotNegativeFloat = 0.0
    schedule: str = "constant"
    warmup: NotNegativeInt = 0
    momentum: Share | None = None
    b1: Share | None = None
    b2: Share | None = None
    epsilon: PositiveFloat | None = None
    rates: tuple[str, ...] = ALL
    phases: tuple[Phase, ...] = ()
    batch_norm: str = BATCH_NORM[0]
    eval_every: PositiveInt = 100
    eval_every_epochs: PositiveInt | None = None
    checkpoint_every: PositiveInt = 500
    select: str = LOSS
    patience: PositiveInt | None = None
    on_divergence: str = ON_DIVERGENCE[0]

    def described(self) -> str:
        """Returns the length of a recipe in steps, in words, with its epochs where it has them."""
        epochs = "" if self.epochs is None else f" ({self.epochs} epochs)"
        return f"{self.steps} steps{epochs}"


# An optimiser's options are the fields of its dataclass.
CHOICE = choice("optimizer", optim.KINDS)
