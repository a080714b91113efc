"""Initialisers by name, and the options that each of them reads."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax

from transfer_jax.core.registry import resolve

_INITIALISERS = {
    "random": "transfer_jax.inits.pretrained:random",
    "pretrained": "transfer_jax.inits.pretrained:pretrained",
    "mean_var": "transfer_jax.inits.scaling:mean_var",
    "transfusion": "transfer_jax.inits.transfusion:transfusion",
}
_OPTIONS: Mapping[str, frozenset[str]] = {"transfusion": frozenset({"upto"})}
NEEDS_SOURCE = frozenset(_INITIALISERS) - {"random"}


def names() -> tuple[str, ...]:
    """The initialisers that `build` takes."""
    return tuple(_INITIALISERS)


def options(name: str) -> frozenset[str]:
    """The options that the initialiser `name` reads; all of them are required."""
    return _OPTIONS.get(name, frozenset())


def build(name: str, **chosen: Any) -> Callable[[jax.Array, Any, Any], Any]:
    """The initialiser `name` with its options, as a function of (key, variables, source)."""
    return functools.partial(resolve("initialiser", name, _INITIALISERS), **chosen)
