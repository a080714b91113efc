"""What CCA finds between activations that have nothing in common.

With d channels and n positions it is never zero. The squared canonical correlations of independent
Gaussian data are the eigenvalues of a real Jacobi ensemble, whose mean square root is computed here:
exactly for few channels, by Wachter's limit law with its first correction for many.
"""

import functools
import math

import numpy as np

_POINTS = 4096
_FEW = 8  # channels up to which the exact value is computed: more lose too many digits


@functools.lru_cache(maxsize=4096)
def mean_coefficient(n: int, d1: int, d2: int) -> float:
    """Returns the expected mean canonical correlation of independent Gaussian data.

    It is within 0.5 % for all sizes with n > d1 + d2. Neighbouring positions of an image are not
    independent of each other, so that the level of activations is higher.

    Args:
      n: Number of positions, > max(d1, d2).
      d1: Channels of one side (its rank, where that is lower).
      d2: Channels of the other.

    Returns:
      A value in [0, 1]; 0 where a side has rank 0.

    Source: Wachter, "The limiting empirical measure of multiple discriminant ratios", Annals of
    Statistics 1980; de Bruijn, "On some multiple integrals involving determinants", 1955.
    """
    few, many = min(d1, d2), max(d1, d2)
    free = n - 1  # centring takes one degree of freedom
    if few == 0:
        return 0.0
    if many >= free:
        return 1.0
    if few == 1:  # the squared coefficient has a beta law
        return math.exp(math.lgamma((many + 1) / 2) + math.lgamma(free / 2) - math.lgamma(many / 2) - math.lgamma((free + 1) / 2))
    if few <= _FEW and few + many <= free:
        return _exact(free, few, many)
    return _limit(free, few, many)


def _limit(free: int, few: int, many: int) -> float:
    """Returns the mean under the limit law, with the correction of order 1 / few."""
    c1, c2 = few / free, many / free
    low, high = ((math.sqrt(c1 * (1 - c2)) + sign * math.sqrt(c2 * (1 - c1))) ** 2 for sign in (-1, 1))
    middle, half = (high + low) / 2, (high - low) / 2
    # The squared coefficients are middle + half * cos(angle), which leaves no singular ends.
    angle = (np.arange(_POINTS) + 0.5) * np.pi / _POINTS
    square = middle + half * np.cos(angle)
    root = np.sqrt(square)
    bulk = float(np.mean(np.sin(angle) ** 2 / (root * (1 - square)))) * half**2 / (2 * c1)
    if few + many > free:  # the spaces meet: some coefficients are exactly 1
        return min(1.0, bulk + 1 - (1 - c2) / c1)
    # Real ensembles have a quarter of an eigenvalue more at either edge of the law, and half of one
    # less spread between them.
    edges = (math.sqrt(max(low, 0.0)) + math.sqrt(high)) / 4
    return min(1.0, bulk + (edges - float(root.mean()) / 2) / few)


def _exact(free: int, few: int, many: int) -> float:
    """Returns the mean from the ensemble's partition function.

    The ensemble has the weight w(x) = x^a (1 - x)^b and the first power of the differences, so that
    its partition function is the Pfaffian of the integrals A_ij of sgn(y - x) p_i(x) p_j(y) w(x) w(y)
    for any polynomials p_i. The expectation of a sum of f over the eigenvalues is the logarithmic
    derivative of the Pfaffian when w becomes w (1 + epsilon f): half the trace of A^-1 A'.
    """
    a, b = (many - few - 1) / 2, (free - many - few - 1) / 2
    # x = sin(angle)^2 leaves no singular ends.
    angle = (np.arange(_POINTS) + 0.5) / _POINTS * math.asin(_largest_root(free, few, many))
    root = np.sin(angle)
    x = root * root
    logarithm = (2 * a + 1) * np.log(root) + (2 * b + 1) * np.log(np.cos(angle))
    weight = np.exp(logarithm - logarithm.max())
    vandermonde = np.polynomial.chebyshev.chebvander(2 * x / x[-1] - 1, few - 1)
    basis, _ = np.linalg.qr(vandermonde * np.sqrt(weight)[:, None])
    plain = basis * np.sqrt(weight)[:, None]  # p_i w
    changed = plain * root[:, None]  # p_i w f, with f(x) = sqrt(x)

    def signed(values: np.ndarray) -> np.ndarray:
        """Returns the integral over y of sgn(y - x) times the values at y, for every x."""
        return values.sum(0) - 2 * (np.cumsum(values, 0) - values / 2)

    pairs = plain.T @ signed(plain)
    slope = changed.T @ signed(plain) + plain.T @ signed(changed)
    if few % 2:
        pairs, slope = _bordered(pairs, plain.sum(0)), _bordered(slope, changed.sum(0))
    return float(np.trace(np.linalg.solve(pairs, slope))) / 2 / few


def _largest_root(free: int, few: int, many: int) -> float:
    """Returns a coefficient that is never reached: the edge of the law and 12 deviations more."""
    c1, c2 = few / free, many / free
    edge = math.sqrt(c1 * (1 - c2)) + math.sqrt(c2 * (1 - c1))
    return min(1.0, edge + 12 / math.sqrt(free))


def _bordered(matrix: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Returns an antisymmetric matrix with one more row and column, for an odd number of channels."""
    return np.block([[matrix, column[:, None]], [-column[None, :], np.zeros((1, 1))]])
