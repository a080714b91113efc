"""From a config to settings: strictly, with arms in short or in full."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable
from typing import Any

from ml_collections import config_dict

from transfer_jax import inits
from transfer_jax.core import options
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import config as data
from transfer_jax.data.config import Data
from transfer_jax.settings import pretraining, similarity
from transfer_jax.settings.checks import check
from transfer_jax.settings.pretraining import Source
from transfer_jax.settings.recipe_checks import IN_EPOCHS, not_both
from transfer_jax.settings.similarity import Similarity
from transfer_jax.settings.study import Arm, Study
from transfer_jax.train import recipe
from transfer_jax.train.recipe import Recipe

# The choices of kinds, each declared beside what it configures.
_READ_BY: options.ReadBy = {
    Data: data.CHOICE,
    Recipe: recipe.CHOICE,
    Source: pretraining.CHOICE,
    Similarity: similarity.CHOICE,
    Arm: inits.CHOICE,
}


def template() -> config_dict.ConfigDict:
    """Returns every option at its default, for a config file to change.

    Options without a default are unset placeholders.
    """
    return _template(Study)


def arm(init: str, **values: Any) -> config_dict.ConfigDict:
    """Returns an arm for `config.arms`, named after its initialisers and their options' values.

    `arm("transfusion+gabor", upto="block2")` is named transfusion_block2_gabor.

    Args:
      init: Name of an initialiser, or several joined by "+".
      **values: Further options of `Arm`; `name` replaces the name.
    """
    words = []
    for part in inits.CHOICE.parts(init):
        names = inits.options(part).names
        fields = (field.name for field in dataclasses.fields(Arm) if field.name in names)
        words += [part, *(str(values[name]) for name in fields if name in values)]
    return config_dict.ConfigDict({"name": "_".join(words), "init": init, **values})


def load(config: config_dict.ConfigDict | dict[str, Any], overrides: Iterable[str] = ()) -> Study:
    """Returns the frozen, checked settings of a config.

    Args:
      config: What `get_config` of a config file returns, or the content of a run's config.json.
      overrides: Dotted names of the options that flags have set; each of them must be read.

    Raises:
      ConfigError: Says in one line what is wrong, where, and what is possible.
    """
    study = options.build(Study, plain(config), "config", _READ_BY)
    for name in overrides:
        _check_read(study, name)
    check(study)
    return study


def plain(value: Any) -> Any:
    """Returns config dicts as plain dicts, at every depth, with arms in short written in full.

    "transfusion:conv1+gabor" is an arm in short.
    """
    if isinstance(value, config_dict.ConfigDict | dict):
        entries = {key: plain(value[key]) for key in value}
        if isinstance(entries.get("arms"), tuple | list):
            entries["arms"] = tuple(
                plain(_arm_in_short(one)) if isinstance(one, str) else one
                for one in entries["arms"]
            )
        return entries
    return tuple(plain(item) for item in value) if isinstance(value, tuple | list) else value


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


def _arm_in_short(text: str) -> config_dict.ConfigDict:
    init, values = inits.parse(text)
    return arm(init, **values)


def _check_read(study: Study, name: str) -> None:
    """Checks that an option set by a flag exists in the settings that are used."""
    section: Any = study
    parts = name.split("[")[0].split(".")
    for part in parts:
        if isinstance(section, Recipe) and part in IN_EPOCHS:
            # At its default, too, it was set here.
            not_both(section, ".".join(("config", *parts[:-1])), part, IN_EPOCHS[part])
        if section is None:
            raise ConfigError(
                f"--config.{name} is set, but nothing reads it: its section is not used by this "
                "study"
            )
        section = getattr(section, part, None)
