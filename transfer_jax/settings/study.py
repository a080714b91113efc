"""The settings of a study, as frozen dataclasses."""

from __future__ import annotations

import dataclasses

from transfer_jax import inits
from transfer_jax.core.ranges import (
    AboveChance,
    ClosedShare,
    NotNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Seed,
    Share,
)
from transfer_jax.data.config import Data
from transfer_jax.metrics import AUC
from transfer_jax.settings.evaluation import Evaluation
from transfer_jax.settings.pretraining import Source
from transfer_jax.settings.similarity import Similarity
from transfer_jax.train import epochs
from transfer_jax.train.recipe import Phase, Recipe

_DATA, _RECIPE, _SOURCE, _SIMILARITY = Data(), Recipe(), Source(), Similarity()
_EVALUATION = Evaluation()


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """How the study's network is made; see `transfer_jax.models.create`.

    Attributes:
      layout: "torchvision" or "keras": the library whose weight files fit.
      widths: Number of channels per block, instead of the network's own.
      dropout: Share of the features that training sets to zero before the head.
      channels: Number of input channels: 3 (grey images are repeated), or 1 (pretrained stems are
        summed; grey images only).
      frozen_batch_norm: Whether batch norms use and keep their running statistics in training.
      momentum: Momentum of the batch norms, instead of the layout's.
      epsilon: Epsilon of the batch norms, instead of the layout's.
    """

    layout: str = "torchvision"
    widths: tuple[int, ...] = ()
    dropout: Share = 0.0
    channels: int = 3
    frozen_batch_norm: bool = False
    momentum: ClosedShare | None = None
    epsilon: PositiveFloat | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """An initialisation, with hyper-parameters of its own where they differ from the recipe's.

    Attributes:
      name: Name of the arm in tables, figures and folders.
      init: Name of an initialiser (see `transfer_jax.inits`), or several joined by "+" and applied
        from left to right: "transfusion+gabor".
      upto: "transfusion" only: the last stage that is taken from the source.
      keep: "resample" only: what is kept of the source's kernels: "values", "filters",
        "histogram", "spectrum", "scale" or "magnitude".
      scheme: "random" only: how kernels are drawn: "he_normal", "he_uniform", "glorot_normal",
        "glorot_uniform", "lecun_normal" or "tf_default" (default: the network's own scheme).
      scale: "gabor" only: scale of the filters: "he" (default) or "pretrained".
      batch_norm: "mean_var" and "resample" only: "own" (fresh, default), "pretrained", or
        "mean_var" (drawn by mean and variance).
      distribution: "mean_var" only: "normal" (default), or "truncated" (at two standard
        deviations).
      learning_rate: Peak learning rate, instead of the recipe's.
      weight_decay: Weight decay, instead of the recipe's.
      rates: Rates of the parameters, instead of the recipe's.
      phases: Phases, instead of the recipe's.
    """

    name: str
    init: str = "random"
    upto: str | None = None
    keep: str | None = None
    scheme: str | None = None
    scale: str | None = None
    batch_norm: str | None = None
    distribution: str | None = None
    # A rate of zero shows what an initialisation is worth without training.
    learning_rate: NotNegativeFloat | None = None
    weight_decay: NotNegativeFloat | None = None
    rates: tuple[str, ...] | None = None
    phases: tuple[Phase, ...] | None = None

    def options(self) -> dict[str, str]:
        """Returns the options of the initialiser that are set."""
        names = sorted(inits.options(self.init).names)
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def member(self, repeat: int) -> str:
        """Returns the name, in tables and folders, of this arm's member in a repeat."""
        return f"{self.name}-{repeat}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A study: arms times repeats, on one data set, with one network.

    Attributes:
      name: Name of the study, used for its folder and its title.
      network: A name of `transfer_jax.models`.
      network_options: How the network is made.
      data: The target data set.
      recipe: How the arms are trained.
      source: Where pretrained weights come from.
      arms: What is compared.
      repeats: Number of repeats of every arm; each repeat has its own initial weights, data order
        and augmentation, which all arms share.
      seed: Seed of everything.
      threshold_auc: Steps to the threshold count up to the first evaluation at or above this AUC.
      metrics: Metrics of every evaluation, keys of `metrics.METRICS`, as ("auc", "f1"); "auc" is
        always among them. "kappa" and "top5" are for multiclass tasks only.
      devices: Number of devices to use (default: all).
      similarity: How networks are compared.
      evaluation: How finished members are judged.
    """

    name: str = "study"
    network: str = "cbr_tiny"
    network_options: NetworkOptions = NetworkOptions()
    data: Data = _DATA
    recipe: Recipe = _RECIPE
    source: Source = _SOURCE
    arms: tuple[Arm, ...] = ()
    repeats: PositiveInt = 1
    seed: Seed = 0
    threshold_auc: AboveChance = 0.91
    metrics: tuple[str, ...] = ("auc",)
    devices: int | None = None
    similarity: Similarity = _SIMILARITY
    evaluation: Evaluation = _EVALUATION

    def in_steps(self, images: int, source_images: int | None) -> Study:
        """Returns the study with the lengths of all recipes and phases in steps.

        Args:
          images: Number of images per epoch of the training of the arms.
          source_images: Number of images per epoch of the source's; None where the study trains
            none.
        """
        recipe, source = epochs.in_steps(self.recipe, images), self.source
        per_epoch = epochs.steps_per_epoch(images, recipe.batch_size)
        arms = tuple(
            arm
            if arm.phases is None
            else dataclasses.replace(arm, phases=epochs.phases_in_steps(arm.phases, per_epoch))
            for arm in self.arms
        )
        if source.recipe is not None and source_images is not None:
            source = dataclasses.replace(
                source, recipe=epochs.in_steps(source.recipe, source_images)
            )
        return dataclasses.replace(self, recipe=recipe, arms=arms, source=source)

    @property
    def evaluated_metrics(self) -> tuple[str, ...]:
        """Names of the metrics of every evaluation."""
        return tuple(dict.fromkeys((AUC, *self.metrics)))

    def members(self) -> int:
        """Returns the number of networks trained on the target: arms times repeats."""
        return len(self.arms) * self.repeats
