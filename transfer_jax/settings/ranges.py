"""The range of every number in the settings, each for itself; what must hold between options is in `checks`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from transfer_jax.core.errors import ConfigError
from transfer_jax.settings.sections import Arm, Data, NetworkOptions, Phase, Recipe, Similarity, Study


class _Range(NamedTuple):
    """Whether a number is in it, and what to say where it is not."""

    holds: Callable[[float], bool]
    words: str


_POSITIVE = _Range(lambda value: value > 0, "must be positive")
_NOT_NEGATIVE = _Range(lambda value: value >= 0, "must not be negative")
_SHARE = _Range(lambda value: 0 <= value < 1, "must lie in [0, 1)")
_CLOSED_SHARE = _Range(lambda value: 0 <= value <= 1, "must lie in [0, 1]")
_FOLDS = _Range(lambda value: value >= 2, "must be at least 2")
_AUC = _Range(lambda value: 0.5 < value < 1, "must lie between 0.5 and 1")
# A key is made of 32 bits of it: 2**32 would be the seed 0.
_SEED = _Range(lambda value: 0 <= value < 2**32, f"must not be negative, nor above {2**32 - 1}")

_RANGES: Mapping[type, Mapping[_Range, tuple[str, ...]]] = {
    Study: {_POSITIVE: ("repeats",), _SEED: ("seed",), _AUC: ("threshold_auc",)},
    NetworkOptions: {_POSITIVE: ("epsilon",), _SHARE: ("dropout",), _CLOSED_SHARE: ("momentum",)},
    Data: {_POSITIVE: ("size", "train", "val", "subset"), _FOLDS: ("folds",)},
    Recipe: {
        _POSITIVE: ("steps", "batch_size", "learning_rate", "epsilon", "eval_every", "checkpoint_every", "patience"),
        _NOT_NEGATIVE: ("weight_decay", "warmup"),
        _SHARE: ("momentum", "b1", "b2"),
    },
    Similarity: {_POSITIVE: ("images", "positions", "channels", "repeats"), _NOT_NEGATIVE: ("every",)},
    Phase: {_POSITIVE: ("steps", "learning_rate"), _NOT_NEGATIVE: ("weight_decay", "warmup")},
    # A rate of zero shows what an initialisation is worth without training.
    Arm: {_NOT_NEGATIVE: ("learning_rate", "weight_decay")},
}


def check(section: Any, where: str = "config") -> None:
    """Raises ConfigError where a number of a section, or of a section in it, is out of its range, infinite or not a number.

    Args:
      section: a dataclass of `sections`.
      where: its place, for the error.
    """
    ranges = {name: allowed for allowed, names in _RANGES.get(type(section), {}).items() for name in names}
    for field in dataclasses.fields(section):
        value, place = getattr(section, field.name), f"{where}.{field.name}"
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{place}={value} must be a finite number")
        if value is not None and field.name in ranges and not ranges[field.name].holds(value):
            raise ConfigError(f"{place}={value} {ranges[field.name].words}")
        inner = {f"{place}[{i}]": part for i, part in enumerate(value)} if isinstance(value, tuple) else {place: value}
        for at, part in inner.items():
            if dataclasses.is_dataclass(part):
                check(part, at)
