"""Initialisers by name: what each of them reads, and how arms in short name them.

In short, an option follows a colon and initialisers are joined by "+": "transfusion:block2+gabor" is `chain(transfusion, gabor)` with
`upto="block2"`. Every initialiser of a chain reads its own options; an option of two of them goes to both.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.core.options import Choice, Reads, reads
from transfer_jax.inits import batch_norm, choices, distributions
from transfer_jax.inits.chain import Initialiser, chain
from transfer_jax.inits.gabor import SCALES, gabor
from transfer_jax.inits.pretrained import pretrained
from transfer_jax.inits.resampling import KEEP, resample
from transfer_jax.inits.scaling import mean_var
from transfer_jax.inits.schemes import SCHEMES, random
from transfer_jax.inits.transfusion import transfusion


class _Entry(NamedTuple):
    """An initialiser: the function, what it reads, and the option that follows its name's colon."""

    function: Initialiser
    options: Reads = reads()
    short: str | None = None


_INITIALISERS: Mapping[str, _Entry] = {
    "random": _Entry(random, reads(optional=("scheme",)), "scheme"),
    "pretrained": _Entry(pretrained),
    "mean_var": _Entry(mean_var, reads(optional=("batch_norm", "distribution")), "batch_norm"),
    "transfusion": _Entry(transfusion, reads("upto"), "upto"),
    "gabor": _Entry(gabor, reads(optional=("scale",)), "scale"),
    "resample": _Entry(resample, reads("keep", optional=("batch_norm",)), "keep"),
}
# The words that options may be; `upto` is a stage, and depends on the network.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "batch_norm": batch_norm.KINDS,
    "distribution": distributions.NAMES,
    "keep": tuple(KEEP),
    "scale": SCALES,
    "scheme": tuple(SCHEMES),
}
JOINT = "+"
# What each initialiser reads, as settings read it of an arm: `init` chooses, several may be joined.
CHOICE = Choice("init", {name: entry.options for name, entry in _INITIALISERS.items()}, JOINT)
# Those that cannot do without a source; gabor needs one for one of its scales.
NEEDS_SOURCE = frozenset(_INITIALISERS) - {"random", "gabor"}


def names() -> tuple[str, ...]:
    """The initialisers; any of them may be joined by "+"."""
    return tuple(_INITIALISERS)


def options(name: str) -> Reads:
    """The options that the initialiser or chain `name` reads, required and optional ones; none for an unknown name."""
    return CHOICE.read(name)


def needs_source(name: str, **chosen: Any) -> bool:
    """Whether the initialiser or chain `name` with these options reads pretrained weights."""
    parts = CHOICE.parts(name)
    return bool(NEEDS_SOURCE.intersection(parts)) or ("gabor" in parts and chosen.get("scale") == "pretrained")


def check(name: str, **chosen: Any) -> None:
    """Raises ConfigError for an unknown name or option, a required option that is missing, or an unknown word as its value."""
    for part in CHOICE.parts(name):
        _entry(part)
    read = options(name)
    for option, value in chosen.items():
        if option not in read.names:
            raise ConfigError(f"initialiser {name!r} does not read {option!r}" + (f": {nearest(option, sorted(read.names))}" if read.names else ""))
        if option in _WORDS:
            choices.check(option, value, _WORDS[option])
    for option in sorted(read.required - chosen.keys()):
        raise ConfigError(f"initialiser {name!r} needs {option!r}")


def build(name: str, **chosen: Any) -> Callable[[Any, Any, Any], Any]:
    """The initialiser or chain `name` with its options, as a function of (key, variables, source).

    Raises:
      ConfigError: as `check`.
    """
    check(name, **chosen)
    built = [_bind(part, chosen) for part in CHOICE.parts(name)]
    return built[0] if len(built) == 1 else chain(*built)


def parse(short: str) -> tuple[str, dict[str, str]]:
    """The name and the options of an initialiser or chain in short: ("transfusion+gabor", {"upto": "block2"}).

    Names and values are not checked here: `check` does, and settings do with their own place in the message.

    Raises:
      ConfigError: a value for an initialiser that takes none, or two values for one option.
    """
    chosen: dict[str, str] = {}
    parts = [part.partition(":") for part in CHOICE.parts(short)]
    for part, colon, value in parts:
        entry = _INITIALISERS.get(part)
        if not colon or entry is None:
            continue
        if entry.short is None:
            raise ConfigError(f"{short!r}: nothing may follow {part!r}, which reads no option")
        if chosen.setdefault(entry.short, value) != value:
            raise ConfigError(f"{short!r}: {entry.short} is both {chosen[entry.short]!r} and {value!r}, and every part of a chain reads the same one")
    return JOINT.join(part for part, _, _ in parts), chosen


def _bind(name: str, chosen: Mapping[str, Any]) -> Initialiser:
    entry = _entry(name)
    return functools.partial(entry.function, **{option: value for option, value in chosen.items() if option in entry.options.names})


def _entry(name: str) -> _Entry:
    if name not in _INITIALISERS:
        raise ConfigError(f"unknown initialiser {name!r}: {nearest(name, _INITIALISERS)}")
    return _INITIALISERS[name]
