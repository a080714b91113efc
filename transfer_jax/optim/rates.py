"""Rules that give every parameter a factor of the learning rate; a factor of zero freezes it.

A rule is "WHAT=FACTOR". WHAT is "all", "head", a stage of the network, or a regular expression for
whole paths such as ".*/bn2/scale". The first rule that matches a parameter decides, and every
parameter must match one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from transfer_jax.core.errors import ConfigError

ALL = ("all=1",)


def factors(
    paths: Iterable[str], rules: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Returns path -> factor of the learning rate, for every parameter.

    Args:
      paths: Paths of all parameters, "module/.../kernel".
      rules: Rules, in the order in which they are tried.
      groups: Names that rules may use -> top-level modules: the stages, and "head".

    Raises:
      ConfigError: A rule is malformed or matches no parameter, or a parameter matches no rule.
    """
    paths = list(paths)
    parsed = [(rule, *_parse(rule, groups)) for rule in rules]
    factor_of: dict[str, float] = {}
    used_rules = set()
    for path in paths:
        for rule, pattern, factor in parsed:
            if pattern.fullmatch(path):
                factor_of[path] = factor
                used_rules.add(rule)
                break
    unmatched = [path for path in paths if path not in factor_of]
    if unmatched:
        more = f" and {len(unmatched) - 1} more" if len(unmatched) > 1 else ""
        raise ConfigError(
            f"no rule of {tuple(rules)} fits the parameter {unmatched[0]}{more}: end with 'all=0'"
            " or 'all=1'"
        )
    for rule, pattern, _ in parsed:
        if not any(pattern.fullmatch(path) for path in paths):
            raise ConfigError(
                f"rule {rule!r} fits no parameter; groups are {', '.join(['all', *groups])}, paths"
                f" are like {paths[0]}"
            )
        if rule not in used_rules:
            raise ConfigError(
                f"rule {rule!r} is never reached: the rules before it fit all its parameters"
            )
    if not any(factor_of.values()):
        raise ConfigError(f"the rules {tuple(rules)} freeze everything: nothing would be trained")
    return factor_of


def _parse(rule: str, groups: Mapping[str, Sequence[str]]) -> tuple[re.Pattern[str], float]:
    """Returns the pattern of the paths that a rule is for, and its factor."""
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
        raise ConfigError(
            f"rule {rule!r} must look like 'block1=0' or '.*/bn2/scale=0.1' ({error})"
        ) from None
    if not what or not 0 <= factor < float("inf"):
        raise ConfigError(
            f"rule {rule!r} must say what it is for, then '=' and a factor that is not negative"
        )
    return compiled, factor
