"""Names that people type, and what they may have meant."""

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from transfer_jax.core.errors import ConfigError


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns a hint to append to a message about an unknown name.

    The hint is the nearest known name, or all known names where none is near.
    """
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}"


def one_of(option: str, value: str, known: Iterable[str]) -> None:
    """Raises ConfigError where the value of an option is not a known one."""
    known = [str(k) for k in known]
    if value not in known:
        raise ConfigError(f"unknown {option}={value!r}: {nearest(value, known)}")


def look_up(kind: str, name: str, table: Mapping[str, str]) -> Any:
    """Returns the object that `table[name]`, written "module:attribute", points to.

    Args:
      kind: What is looked up, for the message ("network", "initialiser").
      name: The name.
      table: Name -> "module:attribute".

    Raises:
      ConfigError: The name is not in the table.
    """
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}: {nearest(name, table)}")
    module, attribute = table[name].split(":")
    return getattr(importlib.import_module(module), attribute)
