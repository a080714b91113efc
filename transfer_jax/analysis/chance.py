"""What CCA finds between activations that have nothing in common: with d channels and n positions it is never zero."""

import math

import numpy as np

_POINTS = 4096


def mean_coefficient(n: int, d1: int, d2: int) -> float:
    """The expected mean canonical correlation of independent Gaussian data.

    With one channel on a side it is exact (the squared coefficient has a beta law), otherwise the mean under Wachter's limit law, which is
    within 2 % from four channels on. Neighbouring positions of an image are not independent of each other, so that of activations is higher.

    Args:
      n: positions, > max(d1, d2).
      d1: channels of one side (its rank, where that is lower).
      d2: of the other.

    Returns:
      A value in [0, 1]; 0 where a side has rank 0.

    Source: Wachter, "The limiting empirical measure of multiple discriminant ratios", Annals of Statistics 1980.
    """
    p, q, free = min(d1, d2), max(d1, d2), n - 1  # centring takes one degree of freedom
    if p == 0:
        return 0.0
    if q >= free:
        return 1.0
    if p == 1:
        return math.exp(math.lgamma((q + 1) / 2) + math.lgamma(free / 2) - math.lgamma(q / 2) - math.lgamma((free + 1) / 2))
    c1, c2 = p / free, q / free
    low, high = ((math.sqrt(c1 * (1 - c2)) + sign * math.sqrt(c2 * (1 - c1))) ** 2 for sign in (-1, 1))
    middle, half = (high + low) / 2, (high - low) / 2
    angle = (np.arange(_POINTS) + 0.5) * np.pi / _POINTS  # the squared coefficients are middle + half cos(angle): no singular ends
    square = middle + half * np.cos(angle)
    bulk = float(np.mean(np.sin(angle) ** 2 / (np.sqrt(square) * (1 - square)))) * half**2 / (2 * c1)
    return min(1.0, bulk + max(0.0, 1 - (1 - c2) / c1))  # beyond n = d1 + d2 the spaces meet: coefficients of exactly 1
