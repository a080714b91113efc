"""Lazy registries: a name is looked up at once, its module is imported when it is used."""

import importlib
from collections.abc import Mapping
from typing import Any

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest


def resolve(kind: str, name: str, table: Mapping[str, str]) -> Any:
    """The object that `table[name]`, written `"module:attribute"`, points to.

    Args:
      kind: what is looked up, for the message ("network", "initialiser").
      name: the name looked up.
      table: name -> "module:attribute".

    Raises:
      ConfigError: the name is not in the table.
    """
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}: {nearest(name, table)}")
    module, attribute = table[name].split(":")
    return getattr(importlib.import_module(module), attribute)
