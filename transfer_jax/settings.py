"""Settings: free Python in the config file, frozen and checked from here on.

A config file changes a `template()`; flags change it further; `load` turns it into frozen dataclasses. Unknown options,
wrong types, and options that the chosen kind does not read are errors that say what to do.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable
from typing import Any

from ml_collections import config_dict

from transfer_jax import inits, models
from transfer_jax.core import options
from transfer_jax.core.errors import ConfigError


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
      flip: mirror training images at random.
      shift: move training images by up to this many pixels.
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
    flip: bool = False
    shift: int = 0


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
      eval_every: steps between evaluations.
      checkpoint_every: steps between checkpoints.
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
    eval_every: int = 100
    checkpoint_every: int = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Where pretrained weights come from.

    Attributes:
      kind: "none", "train" (pretrain the same network on `data` by `recipe` first) or "weights" (a folder of saved weights).
      path: of the weights.
      data: what to pretrain on.
      recipe: how to pretrain.
    """

    kind: str = "none"
    path: str | None = None
    data: Data | None = None
    recipe: Recipe | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to begin: an initialisation, and hyper-parameters of its own where they differ from the recipe's.

    Attributes:
      name: of the arm in tables, plots and folders.
      init: an initialiser's name (see `transfer_jax.inits`).
      upto: "transfusion" only: the last stage taken from the source.
      learning_rate: instead of the recipe's.
      weight_decay: instead of the recipe's.
    """

    name: str
    init: str = "random"
    upto: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None

    def member(self, repeat: int) -> str:
        """The name, in tables and folders, of this arm's member in a repeat."""
        return f"{self.name}-{repeat}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A study: arms times repeats, on one data set, with one network.

    Attributes:
      name: of the study.
      network: a name of `transfer_jax.models`.
      data: the target data set.
      recipe: how the arms are trained.
      source: pretrained weights.
      arms: what is compared.
      repeats: repeats of every arm; repeat r has its own initial weights, data order and augmentation, shared by all arms.
      seed: of everything.
      threshold_auc: steps-to-threshold counts to the first evaluation at or above this AUC.
      devices: how many devices to use (default: all).
    """

    name: str = "study"
    network: str = "cbr_tiny"
    data: Data = Data()
    recipe: Recipe = Recipe()
    source: Source = Source()
    arms: tuple[Arm, ...] = ()
    repeats: int = 1
    seed: int = 0
    threshold_auc: float = 0.9
    devices: int | None = None

    def members(self) -> int:
        """Networks trained on the target: arms times repeats."""
        return len(self.arms) * self.repeats


# What only some kinds of a section read.
_READ_BY: options.ReadBy = {
    Data: options.Choice("kind", {"phantom": options.required("phantom", "size", "train", "val"), "records": options.required("path")}),
    Recipe: options.Choice("optimizer", {"adam": options.optional("b1", "b2", "epsilon"), "sgd": options.optional("momentum")}),
    Source: options.Choice("kind", {"none": options.required(), "train": options.required("data", "recipe"), "weights": options.required("path")}),
    Arm: options.Choice("init", {name: options.required(*inits.options(name)) for name in inits.names()}),
}


def template() -> config_dict.ConfigDict:
    """Every option at its default, for a config file to change; options without a default are unset placeholders."""
    return _template(Study)


def arm(init: str, **chosen: Any) -> config_dict.ConfigDict:
    """An arm for `config.arms`: named after its initialiser (and `upto`) unless `name` is given."""
    name = "_".join([init, *([chosen["upto"]] if "upto" in chosen else [])])
    return config_dict.ConfigDict({"name": name, "init": init, **chosen})


def _template(cls: type) -> config_dict.ConfigDict:
    config = config_dict.ConfigDict()
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        kind = options.without_none(hints[field.name])
        if dataclasses.is_dataclass(kind):
            config[field.name] = _template(typing.cast(type, kind))
        elif field.default is None:
            config[field.name] = config_dict.placeholder(kind)
        else:
            config[field.name] = field.default
    return config.lock()


def load(config: config_dict.ConfigDict, overrides: Iterable[str] = ()) -> Study:
    """The frozen, checked settings of a config.

    Args:
      config: from a config file's `get_config`.
      overrides: dotted names of the options that flags have set; each of them must be read.

    Raises:
      ConfigError: in one line, what is wrong, where, and what is possible.
    """
    study = options.build(Study, _plain(config), "config", _READ_BY)
    for name in overrides:
        _check_read(study, name)
    _check(study)
    return study


def _plain(value: Any) -> Any:
    """Config dicts as plain dicts, at every depth; arms in short ("transfusion:conv1") in full."""
    if isinstance(value, config_dict.ConfigDict | dict):
        plain = {key: _plain(value[key]) for key in value}
        if isinstance(plain.get("arms"), tuple | list):
            plain["arms"] = tuple(_plain(_arm_in_short(a)) if isinstance(a, str) else a for a in plain["arms"])
        return plain
    return tuple(_plain(item) for item in value) if isinstance(value, tuple | list) else value


def _arm_in_short(text: str) -> config_dict.ConfigDict:
    init, _, upto = text.partition(":")
    return arm(init, **({"upto": upto} if upto else {}))


def _check_read(study: Study, name: str) -> None:
    """An option set by a flag must exist in the settings that are used."""
    section: Any = study
    for part in name.split("[")[0].split("."):
        if section is None:
            raise ConfigError(f"--config.{name} is set, but nothing reads it: its section is not used by this study")
        section = getattr(section, part, None)


def _check(study: Study) -> None:
    """What must hold between options."""
    models.stage_names(study.network)
    if not study.arms:
        raise ConfigError("config.arms is empty: a study needs at least one arm, e.g. --config.arms=\"('random',)\"")
    names = [a.name for a in study.arms]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two arms are named {name!r}: give one of them another name")
        if not name.replace("_", "").replace("-", "").replace(".", "").isalnum():
            raise ConfigError(f"arm name {name!r} becomes a folder: letters, digits, '_', '-' and '.' only")
    for chosen in study.arms:
        if chosen.upto is not None:
            models.upto(models.stage_table(study.network), chosen.upto)
        if study.source.kind == "none" and chosen.init in inits.NEEDS_SOURCE:
            raise ConfigError(f"arm {chosen.name!r} begins from pretrained weights, but config.source.kind is 'none': set it to 'train' or 'weights'")
    if study.source.kind != "none" and not any(a.init in inits.NEEDS_SOURCE for a in study.arms):
        raise ConfigError(
            f"config.source.kind is {study.source.kind!r}, but no arm begins from pretrained weights: set it to 'none', or add such an arm"
        )
    for where, data in (("data", study.data), ("source.data", study.source.data)):
        if data is not None and data.threshold is not None and data.task != "binary":
            raise ConfigError(
                f"config.{where}.threshold is read by task='binary' only, not by {data.task!r}: take it out, or change config.{where}.task"
            )
    positive = {"repeats": study.repeats, **_numbers("recipe", study.recipe), **_numbers("data", study.data)}
    if study.source.recipe and study.source.data:
        positive |= _numbers("source.recipe", study.source.recipe) | _numbers("source.data", study.source.data)
    for name, value in positive.items():
        if value is not None and value <= 0:
            raise ConfigError(f"config.{name}={value} must be positive")
    not_negative: dict[str, float | None] = {"seed": study.seed}
    for where, section in (("", study), ("source.", study.source)):
        for name, holder in (("data.shift", section.data), ("recipe.weight_decay", section.recipe)):
            not_negative[where + name] = getattr(holder, name.split(".")[1], None)
    for i, chosen in enumerate(study.arms):
        not_negative |= {f"arms[{i}].{name}": getattr(chosen, name) for name in ("learning_rate", "weight_decay")}
    for name, value in not_negative.items():
        if value is not None and value < 0:
            raise ConfigError(f"config.{name}={value} must not be negative")
    if not 0.5 < study.threshold_auc < 1:
        raise ConfigError(f"config.threshold_auc={study.threshold_auc} must lie between 0.5 and 1")


def _numbers(where: str, section: Data | Recipe) -> dict[str, float | None]:
    """The options of a section that must be positive."""
    names = ("steps", "batch_size", "learning_rate", "eval_every", "checkpoint_every", "size", "train", "val")
    return {f"{where}.{name}": getattr(section, name) for name in names if hasattr(section, name)}
