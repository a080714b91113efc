"""Mappings to frozen dataclasses, strictly: the error names the option, its place, and what is possible.

A section may have kinds (an optimiser's name, a source's kind) that read some of its options and not others; an option that the
chosen kind does not read is an error, and a nested section that it does not read is left out.
"""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest


class Reads(NamedTuple):
    """Options that a kind reads and some other kind does not: those that must be given, and those that may be."""

    required: frozenset[str]
    optional: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.required | self.optional


class Choice(NamedTuple):
    """A section's option that chooses its kind, and what each kind reads.

    Attributes:
      option: its name.
      kinds: what each kind reads.
      joint: several kinds may be chosen at once, with this text between them; what any of them reads is then read.
    """

    option: str
    kinds: Mapping[str, Reads]
    joint: str | None = None

    def parts(self, chosen: str) -> list[str]:
        """The kinds in the option's value; they may be unknown."""
        return chosen.split(self.joint) if self.joint else [chosen]

    def read(self, chosen: str) -> Reads:
        """What the known kinds in the option's value read together."""
        each = [self.kinds[part] for part in self.parts(chosen) if part in self.kinds]
        required: frozenset[str] = frozenset().union(*(kind.required for kind in each))
        return Reads(required, frozenset().union(*(kind.optional for kind in each)) - required)


ReadBy = Mapping[type, Choice]


def reads(*required: str, optional: Iterable[str] = ()) -> Reads:
    """What a kind reads."""
    return Reads(frozenset(required), frozenset(optional))


def without_none(hint: Any) -> Any:
    """A type without its `| None`."""
    if isinstance(hint, types.UnionType):
        return next(a for a in typing.get_args(hint) if a is not type(None))
    return hint


def build(cls: type, value: Any, where: str, read_by: ReadBy) -> Any:
    """An instance of the dataclass `cls` from a mapping, its nested sections too; None values count as not given.

    Raises:
      ConfigError: an unknown option, a wrong type, a missing option, or one that the chosen kind does not read.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a section of options, not {value!r}")
    hints = typing.get_type_hints(cls)
    for key in value:
        if key not in hints:
            raise ConfigError(f"unknown option {where}.{key}: {nearest(key, hints)}")
    given = {key: entry for key, entry in value.items() if entry is not None}
    sections = {key for key in given if dataclasses.is_dataclass(without_none(hints[key]))}
    left_out = {key for key in sections if _unread(cls, given, key, read_by)}
    converted = {key: _convert(hints[key], given[key], f"{where}.{key}", read_by) for key in given if key not in left_out}
    for field in dataclasses.fields(cls):
        if field.default is dataclasses.MISSING and field.name not in converted:
            raise ConfigError(f"{where}.{field.name} must be set")
    section = cls(**converted)
    _check_choice(section, where, read_by)
    return section


def _unread(cls: type, given: Mapping[str, Any], key: str, read_by: ReadBy) -> bool:
    """Whether the chosen kind of a section does not read the option `key`."""
    if cls not in read_by:
        return False
    choice = read_by[cls]
    chosen = given.get(choice.option, next((f.default for f in dataclasses.fields(cls) if f.name == choice.option), None))
    readers = [kind for kind, read in choice.kinds.items() if key in read.names]
    return bool(readers) and key not in choice.read(str(chosen)).names


def _convert(hint: Any, value: Any, where: str, read_by: ReadBy) -> Any:
    kind = without_none(hint)
    if dataclasses.is_dataclass(kind):
        return build(typing.cast(type, kind), value, where, read_by)
    if typing.get_origin(kind) is tuple:
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise ConfigError(f"{where} must be a tuple, not {value!r}; with a flag: --{where}=\"('a','b')\"")
        element = typing.get_args(kind)[0]
        return tuple(_convert(element, item, f"{where}[{i}]", read_by) for i, item in enumerate(value))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        expected = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "True or False"}[kind.__name__]
        raise ConfigError(f"{where} must be {expected}, not {value!r}")
    return value


def _check_choice(section: Any, where: str, read_by: ReadBy) -> None:
    """The kind of the section is known, has what it needs, and nothing is set that it does not read."""
    if type(section) not in read_by:
        return
    choice = read_by[type(section)]
    option, kinds = choice.option, choice.kinds
    chosen = getattr(section, option)
    for part in choice.parts(chosen):
        if part not in kinds:
            place = f"{where}.{option}={chosen!r}" if part == chosen else f"{part!r} in {where}.{option}={chosen!r}"
            raise ConfigError(f"unknown {place}: {nearest(part, kinds)}")
    read = choice.read(chosen)
    for other in kinds.values():
        for name in sorted(other.names - read.names):
            if getattr(section, name) is not None:
                readers = " or ".join(repr(kind) for kind, its in kinds.items() if name in its.names)
                raise ConfigError(f"{where}.{name} is read by {option}={readers} only, not by {chosen!r}: take it out, or change {where}.{option}")
    for name in sorted(read.required):
        if getattr(section, name) is None:
            raise ConfigError(f"{where}.{name} must be set for {option}={chosen!r}")
