"""From a config file to settings: strictly, in short or in full."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable
from typing import Any

from ml_collections import config_dict

from transfer_jax import inits
from transfer_jax.core import options
from transfer_jax.core.errors import ConfigError
from transfer_jax.settings.checks import check
from transfer_jax.settings.sections import Arm, Data, Recipe, Similarity, Source, Study

# What only some kinds of a section read.
_READ_BY: options.ReadBy = {
    Data: options.Choice("kind", {"phantom": options.reads("phantom", "size", "train", "val"), "records": options.reads("path")}),
    Recipe: options.Choice("optimizer", {"adam": options.reads(optional=("b1", "b2", "epsilon")), "sgd": options.reads(optional=("momentum",))}),
    Source: options.Choice(
        "kind",
        {
            "none": options.reads(),
            "train": options.reads("data", "recipe", optional=("network", "take")),
            "weights": options.reads("path", optional=("network", "normalisation", "cast", "state", "prefix")),
        },
    ),
    Similarity: options.Choice("kind", {"exact": options.reads(), "sampled": options.reads(optional=("positions", "channels", "repeats"))}),
    Arm: inits.CHOICE,
}


def template() -> config_dict.ConfigDict:
    """Every option at its default, for a config file to change; options without a default are unset placeholders."""
    return _template(Study)


def arm(init: str, **chosen: Any) -> config_dict.ConfigDict:
    """An arm for `config.arms`: named after its initialisers, each with its options' values, unless `name` is given.

    `arm("transfusion+gabor", upto="block2")` is named transfusion_block2_gabor.
    """
    words = []
    for part in inits.CHOICE.parts(init):
        read = inits.options(part).names
        words += [part, *(str(chosen[field.name]) for field in dataclasses.fields(Arm) if field.name in read and field.name in chosen)]
    name = "_".join(words)
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


def load(config: config_dict.ConfigDict | dict[str, Any], overrides: Iterable[str] = ()) -> Study:
    """The frozen, checked settings of a config.

    Args:
      config: from a config file's `get_config`, or what a finished study's config.json holds.
      overrides: dotted names of the options that flags have set; each of them must be read.

    Raises:
      ConfigError: in one line, what is wrong, where, and what is possible.
    """
    study = options.build(Study, _plain(config), "config", _READ_BY)
    for name in overrides:
        _check_read(study, name)
    check(study)
    return study


def _plain(value: Any) -> Any:
    """Config dicts as plain dicts, at every depth; arms in short ("transfusion:conv1+gabor") in full."""
    if isinstance(value, config_dict.ConfigDict | dict):
        plain = {key: _plain(value[key]) for key in value}
        if isinstance(plain.get("arms"), tuple | list):
            plain["arms"] = tuple(_plain(_arm_in_short(a)) if isinstance(a, str) else a for a in plain["arms"])
        return plain
    return tuple(_plain(item) for item in value) if isinstance(value, tuple | list) else value


def _arm_in_short(text: str) -> config_dict.ConfigDict:
    init, chosen = inits.parse(text)
    return arm(init, **chosen)


def _check_read(study: Study, name: str) -> None:
    """An option set by a flag must exist in the settings that are used."""
    section: Any = study
    for part in name.split("[")[0].split("."):
        if section is None:
            raise ConfigError(f"--config.{name} is set, but nothing reads it: its section is not used by this study")
        section = getattr(section, part, None)
