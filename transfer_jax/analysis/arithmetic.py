"""Sums of many terms in twice the precision of their numbers, so that float32 keeps counting."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float


class Total(NamedTuple):
    """A sum in two floating-point numbers: `low` holds what rounding removed from `high`."""

    high: Float[Array, "*s"]
    low: Float[Array, "*s"]

    def value(self) -> Float[np.ndarray, "*s"]:
        """Returns the sum in float64, on the host."""
        return np.asarray(np.asarray(self.high, np.float64) + np.asarray(self.low, np.float64))


def two_sum(a: Float[Array, "*s"], b: Float[Array, "*s"]) -> Total:
    """Returns a + b without loss: what rounding removes from the sum is kept in `low`.

    Knuth's two-sum; XLA does not reorder it.
    """
    high = a + b
    from_b = high - a
    return Total(high, (a - (high - from_b)) + (b - from_b))


def plus(total: Total, *terms: Float[Array, "*s"]) -> Total:
    """Returns the total plus all terms, added one after the other."""
    high, low = total
    for term in terms:
        high, lost = two_sum(high, term)
        low = low + lost
    return two_sum(high, low)


def outer(a: Float[Array, " i"], b: Float[Array, " j"]) -> Float[Array, "i j"]:
    """Returns the outer product [i, j] of two vectors."""
    return a[:, None] * b[None, :]
