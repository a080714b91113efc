"""Options of initialisers, as their signatures state them.

The keyword-only parameters of an initialiser are its options; those without a default are
required. An option whose value must be one of a few words is annotated with them, e.g.
`Annotated[str, Words(("normal", "truncated"))]`. An initialiser whose `source` has no default
needs pretrained weights.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.core.options import Reads, without_none

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclasses.dataclass(frozen=True)
class Words:
    """The words that an option may be.

    Attributes:
      known: All of them.
      reading_source: Those with which an initialiser reads pretrained weights that it could
        otherwise do without.
    """

    known: tuple[str, ...]
    reading_source: tuple[str, ...] = ()

    def check(self, option: str, value: object) -> None:
        """Raises ConfigError, with the nearest word, where `value` is none of the words."""
        if value not in self.known:
            raise ConfigError(f"unknown {option}={value!r}: {nearest(str(value), self.known)}")


def options(function: Callable[..., Any]) -> tuple[str, ...]:
    """Returns the names of an initialiser's options, in the order of its signature."""
    return tuple(_keyword_only(function))


def reads(function: Callable[..., Any]) -> Reads:
    """Returns an initialiser's options, required ones and optional ones apart."""
    parameters = _keyword_only(function)
    required = frozenset(
        name for name, parameter in parameters.items() if parameter.default is parameter.empty
    )
    return Reads(required, frozenset(parameters) - required)


def words(function: Callable[..., Any]) -> dict[str, Words]:
    """Returns parameter -> its words, for every parameter that is annotated with `Words`."""
    hints = typing.get_type_hints(function, include_extras=True)
    return {
        name: entry
        for name, hint in hints.items()
        for entry in getattr(without_none(hint), "__metadata__", ())
        if isinstance(entry, Words)
    }


def needs_source(function: Callable[..., Any], values: Mapping[str, Any]) -> bool:
    """Returns whether an initialiser with these options reads pretrained weights."""
    source = inspect.signature(function).parameters["source"]
    return source.default is source.empty or any(
        values.get(option) in allowed.reading_source for option, allowed in words(function).items()
    )


def check_words(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorates a function so that arguments annotated with `Words` are checked at every call.

    An unknown word raises ConfigError. Defaults are not checked, since None is often one.
    """
    signature, allowed = inspect.signature(function), words(function)

    @functools.wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        arguments = signature.bind(*args, **kwargs).arguments
        for name in allowed.keys() & arguments.keys():
            if arguments[name] != signature.parameters[name].default:
                allowed[name].check(name, arguments[name])
        return function(*args, **kwargs)

    return checked


def _keyword_only(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters
    return {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
