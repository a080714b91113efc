"""Who learns how fast: a factor of the learning rate for every parameter, by rules; a factor of zero freezes.

A rule is "WHAT=FACTOR". WHAT is "all", "head", a stage of the network, or a regular expression for whole paths such as
".*/bn2/scale". The first rule that fits a parameter counts, and every parameter must be fitted by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from transfer_jax.core.errors import ConfigError

ALL = ("all=1",)


def factors(paths: Iterable[str], rules: Sequence[str], groups: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The factor of every parameter.

    Args:
      paths: of all parameters, "module/.../kernel".
      rules: in the order in which they are tried.
      groups: names that rules may use -> top-level modules: the stages, and "head".

    Raises:
      ConfigError: a rule is no rule, fits no parameter, or a parameter is fitted by none.
    """
    paths = list(paths)
    parsed = [(rule, *_parse(rule, groups)) for rule in rules]
    found: dict[str, float] = {}
    used = set()
    for path in paths:
        for rule, pattern, factor in parsed:
            if pattern.fullmatch(path):
                found[path] = factor
                used.add(rule)
                break
    left = [path for path in paths if path not in found]
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        raise ConfigError(f"no rule of {tuple(rules)} fits the parameter {left[0]}{more}: end with 'all=0' or 'all=1'")
    for rule, pattern, _ in parsed:
        if not any(pattern.fullmatch(path) for path in paths):
            raise ConfigError(f"rule {rule!r} fits no parameter; groups are {', '.join(['all', *groups])}, paths are like {paths[0]}")
        if rule not in used:
            raise ConfigError(f"rule {rule!r} is never reached: the rules before it fit all its parameters")
    if not any(found.values()):
        raise ConfigError(f"the rules {tuple(rules)} freeze everything: nothing would be trained")
    return found


def _parse(rule: str, groups: Mapping[str, Sequence[str]]) -> tuple[re.Pattern[str], float]:
    what, _, text = rule.rpartition("=")
    try:
        factor = float(text)
        if what == "all":
            pattern = ".*"
        elif what in groups:
            pattern = "(?:" + "|".join(map(re.escape, groups[what])) + ")/.*"
        else:
            pattern = what
        compiled = re.compile(pattern)
    except (ValueError, re.error) as error:
        raise ConfigError(f"rule {rule!r} must look like 'block1=0' or '.*/bn2/scale=0.1' ({error})") from None
    if not what or not 0 <= factor < float("inf"):
        raise ConfigError(f"rule {rule!r} must have a factor from 0 on behind what it is for")
    return compiled, factor
