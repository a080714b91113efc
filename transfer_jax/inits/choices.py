"""Options whose value is one of a few words."""

from collections.abc import Iterable

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest


def check(option: str, value: object, known: Iterable[str]) -> None:
    """Raises ConfigError, with the nearest known word, where `value` is none of them."""
    known = tuple(known)
    if value not in known:
        raise ConfigError(f"unknown {option}={value!r}: {nearest(str(value), known)}")
