"""The card of a data set: what it is, what its raw folder looks like, and its reader's options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.names import nearest


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """The card of a data set; `python -m transfer_jax.tools.prepare --list` shows it.

    Attributes:
      title: Full name.
      layout: Files of the raw folder as the publisher lays them out, one line each.
      labels: What is labelled.
      patient: What tells patients apart.
      split: The publisher's split, or how one is made.
      licence: Licence of the images.
      citation: The paper to cite.
      address: Address of the publisher.
      channels: Number of channels that are written by default: 1 (grey) or 3 (RGB).
      options: Option of the reader -> its help; options become flags of tools.prepare.
      required: Options without a default.
    """

    title: str
    layout: str
    labels: str
    patient: str
    split: str
    licence: str
    citation: str
    address: str
    channels: int = 3
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    required: tuple[str, ...] = ()

    def check_options(self, name: str, options: Mapping[str, str]) -> None:
        """Checks that the card has all of the options, and that none is missing.

        Args:
          name: Name of the data set, for the message.
          options: The options that the user set.

        Raises:
          ConfigError: An option is unknown, or a required one is missing.
        """
        for option in options:
            if option not in self.options:
                raise ConfigError(
                    f"data set {name} has no option {option!r}:"
                    f" {nearest(option, self.options) if self.options else 'it has none'}"
                )
        for option in self.required:
            if option not in options:
                raise ConfigError(
                    f"data set {name} needs the option {option!r}: {self.options[option]}"
                )


def choice(option: str, value: str, allowed: Sequence[str]) -> str:
    """Returns the value of an option that has few values.

    Args:
      option: Name of the option, for the message.
      value: The value that the user gave.
      allowed: The values that it may have.

    Raises:
      DataError: The value is not one of those.
    """
    if value not in allowed:
        raise DataError(f"option {option}={value!r} is unknown: {nearest(value, allowed)}")
    return value


def number(option: str, value: str, least: int) -> int:
    """Returns the whole number in an option.

    Args:
      option: Name of the option, for the message.
      value: The value that the user gave.
      least: The smallest number allowed.

    Raises:
      DataError: The value is no whole number, or is below `least`.
    """
    if not value.isdecimal() or int(value) < least:
        raise DataError(f"option {option}={value!r} must be a whole number from {least} on")
    return int(value)
