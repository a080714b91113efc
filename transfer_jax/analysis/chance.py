"""The canonical correlations of activations that have nothing in common.

With d channels and n positions they are never zero.
"""

import functools
import math

import numpy as np
from jaxtyping import Float

_POINTS = 4096
_EXACT = 8  # coefficients; from 11 on the double integrals lose their digits
_WIDTHS = 12  # half the range of integration, in standard deviations of a Gaussian near its peak


@functools.lru_cache(maxsize=4096)
def mean_coefficient(n: int, d1: int, d2: int) -> float:
    """Returns the expected mean canonical correlation of independent Gaussian data.

    The value is exact where a side has up to 8 channels. Beyond, it is the mean under Wachter's
    limit law with the correction of first order, which is within 0.4 % there. Neighbouring
    positions of an image are not independent of each other, so that the level of activations is
    higher.

    Args:
      n: Number of positions, > max(d1, d2).
      d1: Channels of one side (its rank, where that is lower).
      d2: Channels of the other side.

    Returns:
      A value in [0, 1]; 0 where a side has rank 0.

    Source: Constantine, "Some non-central distribution problems in multivariate analysis", Annals
    of Mathematical Statistics 1963 (the law of the squared coefficients); de Bruijn, "On some
    multiple integrals involving determinants", J. Indian Math. Soc. 1955; Wachter, "The limiting
    empirical measure of multiple discriminant ratios", Annals of Statistics 1980; Bai, Silverstein,
    "CLT for linear spectral statistics of large-dimensional sample covariance matrices", Annals of
    Probability 2004 (the correction).
    """
    p, q, free = min(d1, d2), max(d1, d2), n - 1  # centring takes one degree of freedom
    if p == 0:
        return 0.0
    if q >= free:
        return 1.0
    meeting = p + q - free
    if meeting > 0:
        # The spaces meet: so many coefficients are 1, the others are those of their complements.
        return (meeting + (p - meeting) * mean_coefficient(n, free - q, free - p)) / p
    if p == 1:
        return math.exp(
            math.lgamma((q + 1) / 2)
            + math.lgamma(free / 2)
            - math.lgamma(q / 2)
            - math.lgamma((free + 1) / 2)
        )
    return _exact(free, p, q) if p <= _EXACT else _in_the_limit(free, p, q)


def _exact(free: int, p: int, q: int) -> float:
    """Returns the mean under the joint law of the squared coefficients x_i, which are in (0, 1).

    The law is prod_i x_i^((q - p - 1) / 2) (1 - x_i)^((free - q - p - 1) / 2) prod_ij |x_i - x_j|.
    De Bruijn's formula makes the integral of such a product with any weight w a Pfaffian of double
    integrals under w. With the weight w (1 + t f), the derivative of its logarithm at t = 0 is the
    expected sum of f; here f is the square root.
    """
    angle, weight = _grid(free, p, q)
    coefficient = np.sin(angle)
    scaled = np.interp(coefficient**2, (coefficient[0] ** 2, coefficient[-1] ** 2), (-1, 1))
    # Any basis of the polynomials up to degree p - 1, times the weight, gives the same value.
    basis = np.linalg.qr(np.polynomial.chebyshev.chebvander(scaled, p - 1) * weight[:, None])[0]

    def double_integrals(left: np.ndarray, right: np.ndarray) -> Float[np.ndarray, "p p"]:
        below = np.cumsum(right, axis=0) - right
        return left.T @ (
            2 * below + right - right.sum(0)
        )  # by the sign of one angle minus the other

    weighted = coefficient[:, None] * basis
    matrix = double_integrals(basis, basis)
    change = double_integrals(weighted, basis) + double_integrals(basis, weighted)
    if p % 2:
        matrix, change = _bordered(matrix, basis.sum(0)), _bordered(change, weighted.sum(0))
    return float(np.trace(np.linalg.solve(matrix, change))) / (2 * p)


def _bordered(
    matrix: Float[np.ndarray, "p p"], border: Float[np.ndarray, " p"]
) -> Float[np.ndarray, "k k"]:
    """Returns an antisymmetric matrix with one more row and column, which de Bruijn's odd case
    needs.
    """
    return np.block([[matrix, border[:, None]], [-border[None, :], np.zeros((1, 1))]])


def _grid(free: int, p: int, q: int) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Returns angles, whose sines are coefficients, and the weight of one coefficient at them.

    As a function of the angle the weight has no singular ends: sin^(q - p) cos^(free - q - p).
    """
    rest = free - q - p
    lowest, highest = (math.atan2(math.sqrt(sines), math.sqrt(rest)) for sines in (q - p, q + p))
    width = _WIDTHS / math.sqrt(2 * (rest + q - p) + 1)
    first, last = max(0.0, lowest - width), min(math.pi / 2, highest + width)
    angle = first + (np.arange(_POINTS) + 0.5) * (last - first) / _POINTS
    log = (q - p) * np.log(np.sin(angle)) + rest * np.log(np.cos(angle))
    return angle, np.exp(log - log.max())


def _in_the_limit(free: int, p: int, q: int) -> float:
    """Returns the mean under Wachter's law, corrected by 1 / p, for p + q <= free."""
    c1, c2 = p / free, q / free
    low, high = (
        (math.sqrt(c1 * (1 - c2)) + sign * math.sqrt(c2 * (1 - c1))) ** 2 for sign in (-1, 1)
    )
    middle, half = (high + low) / 2, (high - low) / 2
    # The squared coefficients are middle + half cos(angle): no singular ends.
    angle = (np.arange(_POINTS) + 0.5) * np.pi / _POINTS
    square = middle + half * np.cos(angle)
    limit = (
        float(np.mean(np.sin(angle) ** 2 / (np.sqrt(square) * (1 - square)))) * half**2 / (2 * c1)
    )
    correction = (math.sqrt(max(low, 0.0)) + math.sqrt(high)) / 4 - float(
        np.sqrt(square).mean()
    ) / 2
    return min(1.0, limit + correction / p)
