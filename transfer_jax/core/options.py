"""Mappings to frozen dataclasses: errors name the option, its place, and what is possible.

A section may have kinds (an optimiser's name, a source's kind), each of which reads some of the
section's options. Every kind is a dataclass whose fields are what it reads. An option that the
chosen kind does not read is an error, and a nested section that it does not read is left out.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest


class Reads(NamedTuple):
    """Options that a kind reads and some other kind does not.

    Attributes:
      required: Options that must be set.
      optional: Options that may be set.
    """

    required: frozenset[str]
    optional: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.required | self.optional


class Choice(NamedTuple):
    """The option of a section that chooses its kind, and what each kind reads.

    Attributes:
      option: Name of the option.
      kinds: Kind -> what it reads.
      joint: Text between several kinds that are chosen at once, where that is possible; whatever
        any of them reads is then read.
    """

    option: str
    kinds: Mapping[str, Reads]
    joint: str | None = None

    def parts(self, value: str) -> list[str]:
        """Returns the kinds in the option's value; they may be unknown."""
        return value.split(self.joint) if self.joint else [value]

    def read(self, value: str) -> Reads:
        """Returns what the known kinds in the option's value read together."""
        known = [self.kinds[part] for part in self.parts(value) if part in self.kinds]
        required: frozenset[str] = frozenset().union(*(kind.required for kind in known))
        return Reads(required, frozenset().union(*(kind.optional for kind in known)) - required)


ReadBy = Mapping[type, Choice]


def reads_of(kind: type) -> Reads:
    """Returns the fields of a kind's dataclass as options, required where they have no default."""
    fields = dataclasses.fields(kind)
    required = {
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    return Reads(frozenset(required), frozenset(field.name for field in fields) - required)


def choice(option: str, kinds: Mapping[str, type]) -> Choice:
    """Returns the choice between kinds that are dataclasses.

    Args:
      option: Name of the option that chooses.
      kinds: Value of the option -> dataclass of the kind.
    """
    return Choice(option, {name: reads_of(kind) for name, kind in kinds.items()})


def select(section: Any, kind: type) -> Any:
    """Returns an instance of a kind with the options of a section; None counts as not set."""
    values = {field.name: getattr(section, field.name) for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in values.items() if value is not None})


def without_none(hint: Any) -> Any:
    """Returns a type without its `| None`."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def build(cls: type, value: Any, where: str, read_by: ReadBy) -> Any:
    """Returns an instance of a dataclass from a mapping, with its nested sections.

    Args:
      cls: The dataclass.
      value: Mapping from option to value; None counts as not set.
      where: Place of the section, for messages.
      read_by: Section -> its choice of kinds.

    Raises:
      ConfigError: An unknown option, a wrong type, a missing option, or one that the chosen kind
        does not read.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a section of options, not {value!r}")
    hints = typing.get_type_hints(cls)
    for key in value:
        if key not in hints:
            raise ConfigError(f"unknown option {where}.{key}: {nearest(key, hints)}")
    values = {key: entry for key, entry in value.items() if entry is not None}
    sections = {key for key in values if dataclasses.is_dataclass(without_none(hints[key]))}
    left_out = {key for key in sections if _unread(cls, values, key, read_by)}
    converted = {
        key: _convert(hints[key], values[key], f"{where}.{key}", read_by)
        for key in values
        if key not in left_out
    }
    for field in dataclasses.fields(cls):
        if field.default is dataclasses.MISSING and field.name not in converted:
            raise ConfigError(f"{where}.{field.name} must be set")
    section = cls(**converted)
    _check_choice(section, where, read_by)
    return section


def _unread(cls: type, values: Mapping[str, Any], key: str, read_by: ReadBy) -> bool:
    """Returns whether the chosen kind of a section does not read the option `key`."""
    if cls not in read_by:
        return False
    choice = read_by[cls]
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    value = values.get(choice.option, defaults.get(choice.option))
    readers = [kind for kind, read in choice.kinds.items() if key in read.names]
    return bool(readers) and key not in choice.read(str(value)).names


_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "True or False",
}


def _convert(hint: Any, value: Any, where: str, read_by: ReadBy) -> Any:
    """Returns the value of one option in its type."""
    kind = without_none(hint)
    if dataclasses.is_dataclass(kind):
        return build(typing.cast(type, kind), value, where, read_by)
    if typing.get_origin(kind) is tuple:
        if isinstance(value, str) or not isinstance(value, Iterable):
            flag = f"--{where}=\"('a','b')\""
            raise ConfigError(f"{where} must be a tuple, not {value!r}; with a flag: {flag}")
        element = typing.get_args(kind)[0]
        return tuple(
            _convert(element, item, f"{where}[{i}]", read_by) for i, item in enumerate(value)
        )
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where} must be {_EXPECTED[kind.__name__]}, not {value!r}")
    return value


def _check_choice(section: Any, where: str, read_by: ReadBy) -> None:
    """Checks that the kind of a section is known, has what it needs, and reads all that is set."""
    if type(section) not in read_by:
        return
    choice = read_by[type(section)]
    option, kinds = choice.option, choice.kinds
    value = getattr(section, option)
    for part in choice.parts(value):
        if part not in kinds:
            place = f"{where}.{option}={value!r}"
            place = place if part == value else f"{part!r} in {place}"
            raise ConfigError(f"unknown {place}: {nearest(part, kinds)}")
    read = choice.read(value)
    for other in kinds.values():
        for name in sorted(other.names - read.names):
            if getattr(section, name) is not None:
                readers = (repr(kind) for kind, names in kinds.items() if name in names.names)
                raise ConfigError(
                    f"{where}.{name} is read by {option}={' or '.join(readers)} only, not by "
                    f"{value!r}: take it out, or change {where}.{option}"
                )
    for name in sorted(read.required):
        if getattr(section, name) is None:
            raise ConfigError(f"{where}.{name} must be set for {option}={value!r}")
