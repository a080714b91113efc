"""The sections of a study's settings, as frozen dataclasses."""

from __future__ import annotations

import dataclasses

from transfer_jax import inits
from transfer_jax.data.augment import Augmentation
from transfer_jax.optim.rates import ALL

_NO_AUGMENTATION = Augmentation()


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """How the study's network is made; see `transfer_jax.models.create`.

    Attributes:
      layout: "torchvision" or "keras": the library whose weight files fit.
      widths: channels of each block, instead of the network's own.
      dropout: share of the features that are set to zero before the head in training.
      channels: of the input: 3 (grey images are repeated), or 1 (pretrained stems are summed; grey images only).
      frozen_batch_norm: batch norms use, and do not move, their running statistics in training.
      momentum: of the batch norms, instead of the layout's.
      epsilon: of the batch norms, instead of the layout's.
    """

    layout: str = "torchvision"
    widths: tuple[int, ...] = ()
    dropout: float = 0.0
    channels: int = 3
    frozen_batch_norm: bool = False
    momentum: float | None = None
    epsilon: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """A data set and the task made of it.

    Attributes:
      kind: "phantom" (generated) or "records" (a folder made by tools.prepare).
      phantom: which phantom: "fundus", "chest" or "texture".
      size: of a phantom's images, pixels.
      train: number of a phantom's training images.
      val: number of a phantom's validation images.
      path: folder of the records.
      task: "binary", "multilabel" or "multiclass".
      labels: names of the labels to predict.
      threshold: "binary" only: a label is positive from this value on (default 1).
      uncertain: policies for labels that are uncertain, see `data.task.POLICIES`: ("ones",) for all labels, ("ignore", "Edema:ones") with
        another one for Edema.
      predictions: table made by tools.predict, for labels whose policy is "self_trained".
      balance: against unbalanced classes: "none", "over" (smaller classes come several times an epoch), "under" (of larger classes as many
        images as the smallest has) or "weights" (of the loss).
      subset: use so many training images only, a fair choice by patient and class; smaller subsets are within larger ones.
      folds: deal the training and validation images into so many folds, by patient and class; repeat r is judged by fold r and trained on
        the others.
      allow_patient_overlap: open a data set whose splits share patients, to reproduce a paper that leaked.
      mode: where pixels are while training: "streamed", "mapped" or "resident" (see `data.modes`), or "auto".
      augment: what is done to training images.
      preset: instead of `augment`, what a paper did: a name of `data.augment.presets`.
      normalisation: a name of `core.normalisation`, or "own" (mean and standard deviation of the set's own training images);
        by default what the weights of config.source ask for where they come from a file, else "own".
    """

    kind: str = "phantom"
    phantom: str | None = None
    size: int | None = None
    train: int | None = None
    val: int | None = None
    path: str | None = None
    task: str = "binary"
    labels: tuple[str, ...] = ()
    threshold: int | None = None
    uncertain: tuple[str, ...] = ("ignore",)
    predictions: str | None = None
    balance: str = "none"
    subset: int | None = None
    folds: int | None = None
    allow_patient_overlap: bool = False
    mode: str = "auto"
    augment: Augmentation = _NO_AUGMENTATION
    preset: str | None = None
    normalisation: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """Some steps of a training. What is not set is the recipe's (and the arm's).

    Attributes:
      steps: how many; all phases' add up to the recipe's.
      rates: who learns how fast, see `optim.rates`: ("head=1", "all=0") trains the head alone.
      optimizer: "adam" or "sgd"; its state begins anew with the phase.
      learning_rate: peak.
      weight_decay: as in the recipe.
      schedule: "constant" or "cosine", over the phase's steps.
      warmup: steps of linear rise at the phase's begin.
    """

    steps: int
    rates: tuple[str, ...] = ALL
    optimizer: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    schedule: str | None = None
    warmup: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
      steps: optimiser steps.
      batch_size: images per step, over all devices.
      optimizer: "adam" or "sgd".
      learning_rate: peak; an arm may have its own.
      weight_decay: factor of the L2 term added to the gradient; an arm may have its own.
      schedule: "constant" or "cosine" (to zero).
      warmup: steps of linear rise before the schedule.
      momentum: "sgd" only (default 0.9).
      b1: "adam" only (default 0.9).
      b2: "adam" only (default 0.999).
      epsilon: "adam" only (default 1e-8).
      rates: who learns how fast, see `optim.rates`: ("conv1=0", "all=1") freezes conv1, ("block4=0.1", "all=1") slows block4 down.
      phases: the training in parts, each with its own rates and optimiser, instead of `rates`.
      batch_norm: what batch norms do in stages of which nothing is trained: "frozen" (they use their running statistics and keep them, as
        Keras' do) or "moving" (they use the batch's and go on averaging, as PyTorch's do).
      eval_every: steps between evaluations.
      checkpoint_every: steps between checkpoints.
      patience: a member stops after so many evaluations without a new lowest validation loss (default: none stops).
      on_divergence: What happens to a member whose loss, parameters or predictions are not finite at an
        evaluation: "stop" ends its training there, "continue" trains it to the end. It counts as diverged
        either way.
    """

    steps: int = 1000
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup: int = 0
    momentum: float | None = None
    b1: float | None = None
    b2: float | None = None
    epsilon: float | None = None
    rates: tuple[str, ...] = ALL
    phases: tuple[Phase, ...] = ()
    batch_norm: str = "frozen"
    eval_every: int = 100
    checkpoint_every: int = 500
    patience: int | None = None
    on_divergence: str = "stop"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Where pretrained weights come from.

    Attributes:
      kind: "none", "train" (pretrain the same network on `data` by `recipe` first) or "weights" (a file; see `transfer_jax.weights.read`).
      path: of the weights: a .safetensors, .pth or .h5 file, a folder of an export or of a finished run, or hf://owner/name.
      network: the pretrained network, where it is another one than the study's (ResNet-50 for resnet50_slim).
      take: "train" only: "last" weights of the pretraining (the default), or its "best" ones by validation loss.
      normalisation: a name of `core.normalisation`, instead of what the file or its library says.
      cast: turn float16, bfloat16 and float64 into float32.
      state: the state dict to read, where a .pth file holds several, e.g. "state_dict_ema".
      prefix: what the names of the network's tensors begin with, where several networks in the file fit; what lies elsewhere in
        the file is then ignored.
      data: what to pretrain on.
      recipe: how to pretrain.
    """

    kind: str = "none"
    path: str | None = None
    network: str | None = None
    normalisation: str | None = None
    cast: bool | None = None
    state: str | None = None
    prefix: str | None = None
    take: str | None = None
    data: Data | None = None
    recipe: Recipe | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to begin: an initialisation, and hyper-parameters of its own where they differ from the recipe's.

    Attributes:
      name: of the arm in tables, plots and folders.
      init: an initialiser's name (see `transfer_jax.inits`), or several joined by "+", applied from left to right: "transfusion+gabor".
      upto: "transfusion" only: the last stage taken from the source.
      keep: "resample" only: what stays of the source's kernels: "values", "filters", "histogram", "spectrum", "scale" or "magnitude".
      scheme: "random" only: draw the kernels by a scheme: "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal" or
        "tf_default" (default: as the network does by itself).
      scale: "gabor" only: of the filters: "he" (default) or "pretrained".
      batch_norm: "mean_var" and "resample" only: "own" (fresh, default), "pretrained", or "mean_var" (drawn by mean and variance).
      distribution: "mean_var" only: "normal" (default), or "truncated" (at two standard deviations).
      learning_rate: instead of the recipe's.
      weight_decay: instead of the recipe's.
      rates: instead of the recipe's.
      phases: instead of the recipe's.
    """

    name: str
    init: str = "random"
    upto: str | None = None
    keep: str | None = None
    scheme: str | None = None
    scale: str | None = None
    batch_norm: str | None = None
    distribution: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    rates: tuple[str, ...] | None = None
    phases: tuple[Phase, ...] | None = None

    def options(self) -> dict[str, str]:
        """The options of the initialiser that are set."""
        read = sorted(inits.options(self.init).names)
        return {name: getattr(self, name) for name in read if getattr(self, name) is not None}

    def member(self, repeat: int) -> str:
        """The name, in tables and folders, of this arm's member in a repeat."""
        return f"{self.name}-{repeat}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Similarity:
    """What is looked at inside the networks: canonical correlations of every stage, on validation images (see `analysis.layerwise`).

    Attributes:
      kind: "exact" (all positions and channels), or "sampled" (Juodelyte et al. 2023).
      images: validation images that are looked at, evenly spread over all of them.
      every: steps after which each member is compared with what it began from, onto TensorBoard; 0 for never.
      at_end: compare members with what they began from and with one another, and their predictions, in the report.
      positions: "sampled" only: of each stage in a repeat (default 10,000).
      channels: "sampled" only: of each stage (default 64).
      repeats: "sampled" only: samples that are averaged (default 5).
    """

    kind: str = "exact"
    images: int = 256
    every: int = 1000
    at_end: bool = False
    positions: int | None = None
    channels: int | None = None
    repeats: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A study: arms times repeats, on one data set, with one network.

    Attributes:
      name: of the study.
      network: a name of `transfer_jax.models`.
      network_options: how it is made.
      data: the target data set.
      recipe: how the arms are trained.
      source: pretrained weights.
      arms: what is compared.
      repeats: repeats of every arm; repeat r has its own initial weights, data order and augmentation, shared by all arms.
      seed: of everything.
      threshold_auc: steps-to-threshold counts to the first evaluation at or above this AUC.
      devices: how many devices to use (default: all).
      similarity: what is looked at inside the networks.
    """

    name: str = "study"
    network: str = "cbr_tiny"
    network_options: NetworkOptions = NetworkOptions()
    data: Data = Data()
    recipe: Recipe = Recipe()
    source: Source = Source()
    arms: tuple[Arm, ...] = ()
    repeats: int = 1
    seed: int = 0
    threshold_auc: float = 0.91
    devices: int | None = None
    similarity: Similarity = Similarity()

    def members(self) -> int:
        """Networks trained on the target: arms times repeats."""
        return len(self.arms) * self.repeats
