"""The d x d part of CCA: from moments to coefficients, the same formulas in NumPy (float64) and compiled for a device.

Every channel is scaled to unit variance first. That changes nothing in CCA and much in floating point: the eigenvalues that decide about the
rank are then those of a correlation matrix, and a channel of small scale is not mistaken for a dead one.
"""

import functools
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Side(NamedTuple):
    """One side of a comparison: `directions` [d, d] maps centred channels to uncorrelated ones of unit sum of squares; zero columns beyond `rank`."""

    directions: Any
    rank: Any


def side(xp: ModuleType, n: Any, least: Any, products: Any, *, epsilon: float, rcond: float) -> Side:
    """Whitens one side, with a floor on its rank.

    Args:
      xp: numpy or jax.numpy.
      n: positions.
      least: Deviation at or below which a channel counts as dead, [d].
      products: sum of centred products [d, d].
      epsilon: >= 0, relative to the largest variance: channels below it are dropped, and it is added to the others' variances.
      rcond: eigenvalues of the correlation matrix at most this share of the largest count as zero.
    """
    variance = xp.clip(xp.diagonal(products), 0, None)
    alive = (variance > n * least**2) & (variance >= epsilon * variance.max())
    scale = xp.where(alive, 1 / xp.sqrt(xp.where(alive, variance, 1)), 0)
    correlation = (products + products.T) / 2 * scale[:, None] * scale[None, :]
    # Adding epsilon to all variances of one common scale is, on channels of unit variance, to add it over each channel's own variance.
    correlation = correlation + xp.diag(epsilon * variance.max() * scale**2)
    values, vectors = xp.linalg.eigh(correlation)
    kept = values > rcond * values.max()
    roots = xp.where(kept, 1 / xp.sqrt(xp.where(kept, values, 1)), 0)
    return Side(scale[:, None] * vectors * roots[None, :], kept.sum())


def leading(xp: ModuleType, products: Any, *, share: float) -> Side:
    """Whitens the directions of largest variance which together hold the `share` of it: the first step of SVCCA. products: [d, d]."""
    values, vectors = xp.linalg.eigh((products + products.T) / 2)
    values = xp.clip(values, 0, None)
    below = xp.cumsum(values) / xp.where(values.sum() > 0, values.sum(), 1)  # ascending: the share of all up to and including this one
    kept = (below > 1 - share) & (values > 0)
    roots = xp.where(kept, 1 / xp.sqrt(xp.where(kept, values, 1)), 0)
    return Side(vectors * roots[None, :], kept.sum())


def matrix(xp: ModuleType, x: Side, y: Side, cross: Any) -> Any:
    """The cross-products of whitened sides [d1, d2]: its singular values are the canonical correlations."""
    if xp is np:
        return x.directions.T @ cross @ y.directions
    highest = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    return highest(highest(x.directions.T, cross), y.directions)


def coefficients(xp: ModuleType, x: Side, y: Side, cross: Any) -> Any:
    """Canonical correlations [min(d1, d2)], descending, in [0, 1]; zeros beyond the lower rank."""
    values = xp.clip(xp.linalg.svd(matrix(xp, x, y, cross), compute_uv=False), 0, 1)
    return xp.where(xp.arange(len(values)) < xp.minimum(x.rank, y.rank), values, 0)


@functools.partial(jax.jit, static_argnames=("epsilon", "rcond"))
def side_on_device(n: Any, least: Any, products: Any, *, epsilon: float, rcond: float) -> Side:
    """`side` in the moments' own precision."""
    return side(jnp, n, least, products, epsilon=epsilon, rcond=rcond)


@jax.jit
def coefficients_on_device(x: Side, y: Side, cross: Any) -> Any:
    """`coefficients` in the moments' own precision."""
    return coefficients(jnp, x, y, cross)
