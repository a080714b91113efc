"""Ranges of numbers as part of their type: `steps: PositiveInt = 1000`."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any

from transfer_jax.core.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Range:
    """A range of numbers.

    Attributes:
      holds: Whether a number lies in the range.
      words: How a message says what the number must be.
    """

    holds: Callable[[float], bool]
    words: str


_POSITIVE = Range(lambda value: value > 0, "must be positive")
_NOT_NEGATIVE = Range(lambda value: value >= 0, "must not be negative")
_SHARE = Range(lambda value: 0 <= value < 1, "must lie in [0, 1)")
_CLOSED_SHARE = Range(lambda value: 0 <= value <= 1, "must lie in [0, 1]")
# A key is made of 32 bits: 2**32 would be the seed 0.
_SEED = Range(lambda value: 0 <= value < 2**32, f"must not be negative, nor above {2**32 - 1}")
_SEVERAL = Range(lambda value: value >= 2, "must be at least 2")
_ABOVE_CHANCE = Range(lambda value: 0.5 < value < 1, "must lie between 0.5 and 1")

PositiveInt = Annotated[int, _POSITIVE]
PositiveFloat = Annotated[float, _POSITIVE]
NotNegativeInt = Annotated[int, _NOT_NEGATIVE]
NotNegativeFloat = Annotated[float, _NOT_NEGATIVE]
Share = Annotated[float, _SHARE]
ClosedShare = Annotated[float, _CLOSED_SHARE]
Seed = Annotated[int, _SEED]
Several = Annotated[int, _SEVERAL]
AboveChance = Annotated[float, _ABOVE_CHANCE]


def check(section: Any, where: str) -> None:
    """Checks every number of a section of options, and of the sections inside it.

    Args:
      section: A dataclass.
      where: Its place, for the message.

    Raises:
      ConfigError: A number is out of its range, infinite or not a number.
    """
    hints = typing.get_type_hints(type(section), include_extras=True)
    for field in dataclasses.fields(section):
        value, place = getattr(section, field.name), f"{where}.{field.name}"
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{place}={value} must be a finite number")
        allowed = _range(hints[field.name])
        if value is not None and allowed is not None and not allowed.holds(value):
            raise ConfigError(f"{place}={value} {allowed.words}")
        parts = {place: value}
        if isinstance(value, tuple):
            parts = {f"{place}[{i}]": part for i, part in enumerate(value)}
        for at, part in parts.items():
            if dataclasses.is_dataclass(part):
                check(part, at)


def _range(hint: Any) -> Range | None:
    """Returns the range of a type such as `PositiveInt | None`."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        ranges = (_range(part) for part in typing.get_args(hint))
        return next((bound for bound in ranges if bound is not None), None)
    metadata = getattr(hint, "__metadata__", ())
    return next((bound for bound in metadata if isinstance(bound, Range)), None)
