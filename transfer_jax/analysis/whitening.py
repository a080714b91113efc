"""The d x d part of CCA: from moments to coefficients, in NumPy (float64) and on a device alike.

Every channel is scaled to unit variance first. That changes nothing in CCA and much in floating
point: the eigenvalues that decide the rank are then those of a correlation matrix, and a channel
of small scale is not mistaken for a dead one.
"""

import functools
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.analysis import units

_ULPS = 4  # a deviation below so many roundings of the values cannot be told from none


class Side(NamedTuple):
    """One side of a comparison.

    Attributes:
      directions: [d, d] maps centred channels to uncorrelated ones of unit sum of squares; zero
        columns beyond `rank`.
      rank: Number of those.
      lost: Number of channels that vary, but by no more than their values are rounded.
    """

    directions: Any
    rank: Any
    lost: Any


def side(
    xp: ModuleType, n: Any, products: Any, rounding: Any, unit: Any, *, epsilon: float, rcond: float
) -> Side:
    """Whitens one side, with a floor on its rank.

    Args:
      xp: numpy or jax.numpy.
      n: Number of positions.
      products: [d, d] sum of the centred products.
      rounding: [d] rounding of the channels' values, in the units of the products.
      unit: [d] units of the channels, relative to one another; `epsilon` alone asks for them.
      epsilon: >= 0, relative to the largest variance: channels below it are dropped, and it is
        added to the others' variances.
      rcond: Eigenvalues of the correlation matrix at most this share of the largest count as zero.
    """
    variance = xp.clip(xp.diagonal(products), 0, None)
    alive = varying(xp, n, products, rounding)
    lost = ((variance > 0) & ~alive).sum()
    if epsilon > 0:
        common = variance * unit**2
        alive = alive & (common >= epsilon * common.max())
    scale = xp.where(alive, 1 / xp.sqrt(xp.where(alive, variance, 1)), 0)
    correlation = (products + products.T) / 2 * scale[:, None] * scale[None, :]
    if epsilon > 0:
        # Adding epsilon to all variances of one common scale is, on channels of unit variance, to
        # add it over each channel's own variance.
        correlation = correlation + xp.diag(
            xp.where(alive, epsilon * common.max() / xp.where(alive, common, 1), 0)
        )
    values, vectors = xp.linalg.eigh(correlation)
    kept = values > rcond * values.max()
    roots = xp.where(kept, 1 / xp.sqrt(xp.where(kept, values, 1)), 0)
    return Side(scale[:, None] * vectors * roots[None, :], kept.sum(), lost)


def varying(xp: ModuleType, n: Any, products: Any, rounding: Any) -> Any:
    """Returns which channels vary by more than their values are rounded, [d]; see `side`."""
    return xp.diagonal(products) > n * (_ULPS * rounding) ** 2


def leading(xp: ModuleType, products: Any, *, share: float, lost: Any = 0) -> Side:
    """Whitens the directions of largest variance which together hold the `share` of it.

    This is the first step of SVCCA.

    Args:
      xp: numpy or jax.numpy.
      products: [d, d] sum of the centred products, all channels in one unit.
      share: Of the variance, in (0, 1).
      lost: See `Side`.
    """
    values, vectors = xp.linalg.eigh((products + products.T) / 2)
    values = xp.clip(values, 0, None)
    below = xp.cumsum(values) / xp.where(
        values.sum() > 0, values.sum(), 1
    )  # ascending: the share of all up to and including this one
    kept = (below > 1 - share) & (values > 0)
    roots = xp.where(kept, 1 / xp.sqrt(xp.where(kept, values, 1)), 0)
    return Side(vectors * roots[None, :], kept.sum(), lost)


def matrix(xp: ModuleType, x: Side, y: Side, cross: Any) -> Any:
    """Returns the cross-products of whitened sides [d1, d2]: its singular values are the canonical
    correlations.
    """
    if xp is np:
        return x.directions.T @ cross @ y.directions
    highest = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    return highest(highest(x.directions.T, cross), y.directions)


def coefficients(xp: ModuleType, x: Side, y: Side, cross: Any) -> Any:
    """Returns canonical correlations [min(d1, d2)], descending, in [0, 1]; zeros beyond the lower
    rank.
    """
    values = xp.clip(xp.linalg.svd(matrix(xp, x, y, cross), compute_uv=False), 0, 1)
    return xp.where(xp.arange(len(values)) < xp.minimum(x.rank, y.rank), values, 0)


@functools.partial(jax.jit, static_argnames=("epsilon", "rcond"))
def side_on_device(
    n: Any, products: Any, rounding: Any, exponent: Any, *, epsilon: float, rcond: float
) -> Side:
    """Computes `side` in the moments' own precision, for units of 2^exponent."""
    unit = units.factor(exponent, exponent.max(), products.dtype)
    return side(jnp, n, products, rounding, unit, epsilon=epsilon, rcond=rcond)


@jax.jit
def coefficients_on_device(x: Side, y: Side, cross: Any) -> Any:
    """Computes `coefficients` in the moments' own precision."""
    return coefficients(jnp, x, y, cross)
