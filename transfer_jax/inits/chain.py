"""Initialisers one after the other."""

from collections.abc import Callable
from typing import Any

import jax

from transfer_jax.core import rng

Initialiser = Callable[..., Any]


def chain(*initialisers: Initialiser) -> Initialiser:
    """An initialiser that applies others from left to right, each to what the one before has made.

    The i-th has the key `rng.stream(key, "i")`, so that it draws other numbers than its neighbours and adding one at the end changes nothing
    before it. Give options with `functools.partial` or take the initialisers from `inits.build`. What a later one "leaves as it is" is as the
    earlier ones made it: `chain(pretrained, partial(gabor, scale="pretrained"))` is full transfer with synthetic first filters.

    Args:
      *initialisers: functions of (key, variables, source). None at all gives the variables unchanged.
    """

    def chained(key: jax.Array, variables: Any, source: Any = None) -> Any:
        for i, initialiser in enumerate(initialisers):
            variables = initialiser(rng.stream(key, str(i)), variables, source)
        return variables

    return chained
