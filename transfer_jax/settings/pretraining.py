"""Where pretrained weights come from: nowhere, a training of their own, or a file."""

from __future__ import annotations

import dataclasses
from typing import Any

from transfer_jax import weights
from transfer_jax.core.options import choice, select
from transfer_jax.data.config import Data
from transfer_jax.train.recipe import Recipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoSource:
    """No pretrained weights."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedSource:
    """Weights of a training that the study does first.

    Attributes:
      data: Data to pretrain on.
      recipe: How to pretrain.
      network: Name of the pretrained network, where it is not the study's.
      take: "last" weights of the pretraining, or its "best" ones by the recipe's `select`.
      per_repeat: Whether every repeat has a pretraining of its own.
    """

    data: Data
    recipe: Recipe
    network: str | None = None
    take: str = "last"
    per_repeat: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightFile:
    """Weights of a file.

    Attributes:
      path: See `Source.path`.
      network: Name of the pretrained network, where it is not the study's.
      normalisation: A name of `core.normalisation`, instead of what the file or its library says.
      cast: Whether float16, bfloat16 and float64 are turned into float32.
      state: See `Source.state`.
      prefix: See `Source.prefix`.
    """

    path: str
    network: str | None = None
    normalisation: str | None = None
    cast: bool = False
    state: str | None = None
    prefix: str | None = None

    def build(self, network: str, channels: int, **shapes: Any) -> weights.Loaded:
        """Reads the weights, without their head.

        Args:
          network: Name of the network of the weights.
          channels: Number of input channels of the study's network.
          **shapes: Further options of `models.create`, such as widths.

        Raises:
          CheckpointError: The file is missing, damaged or dangerous, or is of another network.
        """
        return weights.read(
            self.path,
            network,
            head=False,
            channels=channels,
            cast=self.cast,
            normalisation=self.normalisation,
            state=self.state,
            prefix=self.prefix,
            **shapes,
        )


KINDS: dict[str, type] = {"none": NoSource, "train": TrainedSource, "weights": WeightFile}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Where pretrained weights come from.

    Attributes:
      kind: "none", "train" (first pretrain the same network on `data` by `recipe`) or "weights" (a
        file; see `transfer_jax.weights.read`).
      path: The weights: a .safetensors, .pth or .h5 file, a folder of an export or of a finished
        run, or hf://owner/name.
      network: Name of the pretrained network, where it is not the study's (ResNet-50 for
        resnet50_slim).
      take: "train" only: the "last" weights of the pretraining (the default), or its "best" ones
        by `select` of its recipe.
      per_repeat: "train" only: whether there is a pretraining per repeat, with initial weights,
        data order and augmentation of its own, from which the arms of that repeat begin; by default
        one serves all repeats.
      normalisation: A name of `core.normalisation`, instead of what the file or its library says.
      cast: Whether float16, bfloat16 and float64 are turned into float32.
      state: The state dict to read, where a .pth file holds several, e.g. "state_dict_ema".
      prefix: Prefix of the names of the network's tensors, where several networks in the file fit;
        everything else in the file is then ignored.
      data: Data to pretrain on.
      recipe: How to pretrain.
    """

    kind: str = "none"
    path: str | None = None
    network: str | None = None
    normalisation: str | None = None
    cast: bool | None = None
    state: str | None = None
    prefix: str | None = None
    take: str | None = None
    per_repeat: bool | None = None
    data: Data | None = None
    recipe: Recipe | None = None

    def selected(self) -> NoSource | TrainedSource | WeightFile:
        """Returns the options of the chosen kind."""
        source: NoSource | TrainedSource | WeightFile = select(self, KINDS[self.kind])
        return source


CHOICE = choice("kind", KINDS)
