"""Initialisers by name, their chains, and arms in short.

In short, an option follows a colon and initialisers are joined by "+": "transfusion:block2+gabor"
is `chain(transfusion, gabor)` with `upto="block2"`. Every initialiser of a chain reads its own
options; an option of two of them goes to both. To add an initialiser, write a module with the
function, whose keyword-only parameters are its options (see signatures.py), and add a line to
`INITIALISERS`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax

from transfer_jax.core import rng
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.core.options import Choice, Reads
from transfer_jax.inits import signatures
from transfer_jax.inits.copying import pretrained, transfusion
from transfer_jax.inits.gabor import gabor
from transfer_jax.inits.resampling import resample
from transfer_jax.inits.scaling import mean_var
from transfer_jax.inits.schemes import random

Initialiser = Callable[..., Any]

# The first option of a signature is the one that follows the colon in short.
INITIALISERS: dict[str, Initialiser] = {
    "random": random,
    "pretrained": pretrained,
    "mean_var": mean_var,
    "transfusion": transfusion,
    "gabor": gabor,
    "resample": resample,
}
JOINT = "+"
# Which options of an arm its `init` reads, for settings; several initialisers may be joined.
CHOICE = Choice(
    "init", {name: signatures.reads(function) for name, function in INITIALISERS.items()}, JOINT
)
# Those that need a source whatever their options; gabor needs one for one of its scales.
NEEDS_SOURCE = frozenset(
    name for name, function in INITIALISERS.items() if signatures.needs_source(function, {})
)


def names() -> tuple[str, ...]:
    """Returns the names of the initialisers; they may be joined by "+"."""
    return tuple(INITIALISERS)


def options(name: str) -> Reads:
    """Returns the options of the initialiser or chain `name`; none for an unknown name."""
    return CHOICE.read(name)


def needs_source(name: str, **values: Any) -> bool:
    """Returns whether an initialiser or chain with these options reads pretrained weights.

    Args:
      name: Name of the initialiser or chain; unknown parts count as reading none.
      **values: Its options.
    """
    functions = (INITIALISERS[part] for part in CHOICE.parts(name) if part in INITIALISERS)
    return any(signatures.needs_source(function, values) for function in functions)


def check(name: str, **values: Any) -> None:
    """Checks the options of an initialiser or chain.

    Args:
      name: Name of the initialiser or chain.
      **values: Its options.

    Raises:
      ConfigError: An unknown name, option or word, or a required option that is missing.
    """
    functions = [_function(part) for part in CHOICE.parts(name)]
    read = options(name)
    for option, value in values.items():
        if option not in read.names:
            raise ConfigError(
                f"initialiser {name!r} does not read {option!r}"
                + (f": {nearest(option, sorted(read.names))}" if read.names else "")
            )
        for words in map(signatures.words, functions):
            if option in words:
                words[option].check(option, value)
    for option in sorted(read.required - values.keys()):
        raise ConfigError(f"initialiser {name!r} needs {option!r}")


def build(name: str, **values: Any) -> Callable[[Any, Any, Any], Any]:
    """Returns an initialiser or chain with its options bound.

    Args:
      name: Name of the initialiser or chain.
      **values: Its options; each part of a chain gets those that it reads.

    Returns:
      A function (key, variables, source) -> variables.

    Raises:
      ConfigError: See `check`.
    """
    check(name, **values)
    bound = [_bind(_function(part), values) for part in CHOICE.parts(name)]
    return bound[0] if len(bound) == 1 else chain(*bound)


def chain(*initialisers: Initialiser) -> Initialiser:
    """Returns an initialiser that applies others from left to right.

    Each is applied to the result of the one before it. The i-th has the key `rng.stream(key,
    "i")`, so that it draws other numbers than its neighbours, and appending an initialiser changes
    nothing before it. Whatever a later one leaves unchanged is the result of the earlier ones:
    `chain(pretrained, partial(gabor, scale="pretrained"))` is full transfer with synthetic first
    filters.

    Args:
      *initialisers: Functions (key, variables, source) -> variables; options can be bound with
        `functools.partial` or by `inits.build`. Without any, the variables are returned unchanged.
    """

    def chained(key: jax.Array, variables: Any, source: Any = None) -> Any:
        for i, initialiser in enumerate(initialisers):
            variables = initialiser(rng.stream(key, str(i)), variables, source)
        return variables

    return chained


def parse(short: str) -> tuple[str, dict[str, str]]:
    """Returns the name and the options of an initialiser or chain in short.

    "transfusion:block2+gabor" gives ("transfusion+gabor", {"upto": "block2"}). Names and values
    are not checked here: `check` does, and settings do with their own place in the message.

    Raises:
      ConfigError: A value for an initialiser without options, or two values for one option.
    """
    values: dict[str, str] = {}
    parts = [part.partition(":") for part in CHOICE.parts(short)]
    for part, colon, value in parts:
        if not colon or part not in INITIALISERS:
            continue
        option = next(iter(signatures.options(INITIALISERS[part])), None)
        if option is None:
            raise ConfigError(f"{short!r}: nothing may follow {part!r}, which reads no option")
        if values.setdefault(option, value) != value:
            raise ConfigError(
                f"{short!r}: {option} is both {values[option]!r} and {value!r}, but all parts of a"
                " chain read the same value"
            )
    return JOINT.join(part for part, _, _ in parts), values


def _bind(function: Initialiser, values: Mapping[str, Any]) -> Initialiser:
    options = signatures.options(function)
    read = {option: value for option, value in values.items() if option in options}
    return functools.partial(function, **read)


def _function(name: str) -> Initialiser:
    if name not in INITIALISERS:
        raise ConfigError(f"unknown initialiser {name!r}: {nearest(name, INITIALISERS)}")
    return INITIALISERS[name]
