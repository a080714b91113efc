"""Moments of all stages of two networks in one pass, for comparing them layer by layer.

Two activations can be compared only where their rows are the same positions of the same images. Stages of different spatial sizes therefore meet
on the smaller one's grid: the larger one is averaged over the windows that fall on one position. What a stage needs for itself (its covariance) is
computed once for each grid on which it meets another, not once for each pair.

Source: the tutorial on convolutional layers of google/svcca, which folds positions into rows and pools the larger of two grids.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
from jax.sharding import Mesh
from jaxtyping import Array, Float

from transfer_jax.analysis import moments
from transfer_jax.core.errors import AnalysisError

Grid = tuple[int, int]
StageMoments = dict[Grid, moments.Moments]


@runtime_checkable
class Shaped(Protocol):
    """An array, or the description of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[b, h, w, c] or [b, c]."""


def _grid(of: Shaped) -> Grid:
    return (of.shape[1], of.shape[2]) if len(of.shape) == 4 else (1, 1)


def _divides(grid: Grid, of: Grid) -> bool:
    return of[0] % grid[0] == 0 and of[1] % grid[1] == 0


def fold(x: Float[Array, "b h w c"] | Float[Array, "b c"], grid: Grid, name: str = "the activation") -> Float[Array, "n c"]:
    """Positions as rows, after averaging to the grid.

    Args:
      x: activations [b, h, w, c], or [b, c], which is one position per image.
      grid: (rows, columns) per image; each divides that of x.
      name: of the stage, for messages.

    Returns:
      [b * rows * columns, c].

    Raises:
      AnalysisError: the grid does not divide the activation's.
    """
    if x.ndim == 2 and grid == (1, 1):
        return x
    if not _divides(grid, _grid(x)):
        raise AnalysisError(f"{name}: {_grid(x)} positions cannot be averaged to {grid}: choose a grid that divides it")
    b, c = x.shape[0], x.shape[-1]
    high, wide = _grid(x)[0] // grid[0], _grid(x)[1] // grid[1]
    if (high, wide) != (1, 1):
        x = x.reshape(b, grid[0], high, grid[1], wide, c).mean((2, 4))
    return x.reshape(-1, c)


def empty(x: Mapping[str, Shaped], y: Mapping[str, Shaped], pairs: Iterable[moments.Pair] | None = None, mesh: Mesh | None = None) -> StageMoments:
    """Moments of nothing yet, by the grid on which stages meet.

    Args:
      x: the first network's activations by stage, or anything with their shapes ([b, h, w, c] or [b, c]), e.g. from jax.eval_shape.
      y: the second's.
      pairs: which (first, second) stages are compared; all where None.
      mesh: see `moments.empty`.

    Raises:
      AnalysisError: the grids of a pair do not divide each other; both stages are named.
    """
    chosen = [(a, b) for a in x for b in y] if pairs is None else list(pairs)
    met: dict[Grid, list[moments.Pair]] = {}
    for a, b in chosen:
        left, right = _grid(x[a]), _grid(y[b])
        grid = min(left, right)
        if not (_divides(grid, left) and _divides(grid, right)):
            raise AnalysisError(f"{a} has {left} positions and {b} {right}: neither divides the other; leave this pair out of pairs")
        met.setdefault(grid, []).append((a, b))
    return {grid: moments.empty({a: x[a].shape[-1] for a, _ in some}, {b: y[b].shape[-1] for _, b in some}, some, mesh) for grid, some in met.items()}


@jax.jit
def _update(state: StageMoments, xs: dict[str, Any], ys: dict[str, Any]) -> StageMoments:
    def folded(side: Mapping[str, Any], from_: dict[str, Any], grid: Grid) -> dict[str, Any]:
        return {name: fold(from_[name].astype(jax.numpy.promote_types(from_[name].dtype, "float32")), grid, name) for name in side}

    return {grid: moments.update(of, folded(of.x, xs, grid), folded(of.y, ys, grid)) for grid, of in state.items()}


def update(state: StageMoments, xs: Mapping[str, Any], ys: Mapping[str, Any]) -> StageMoments:
    """Adds a batch of both networks' activations on the same images: one compiled call.

    Args:
      state: so far, from `empty`.
      xs: activations [b, h, w, c] or [b, c] by stage of the first network.
      ys: of the second.
    """
    return _update(state, dict(xs), dict(ys))


@jax.jit
def merge(a: StageMoments, b: StageMoments) -> StageMoments:
    """The moments of both sets of images."""
    return {grid: moments.merge(of, b[grid]) for grid, of in a.items()}
