"""Moments of all stages of two networks in one pass, for comparing them stage by stage.

Two activations can be compared only where their rows are the same positions of the same images.
Stages of different spatial sizes therefore meet on the grid of the smaller one: the larger one is
averaged over the windows that fall on one position, and where the grids do not divide each other
(Inception's 35, 17 and 8) neighbouring windows overlap by a row or a column. Whatever a stage
needs for itself (its covariance) is computed once per grid on which it meets another, not once per
pair.

Source: The tutorial on convolutional layers of google/svcca, which folds positions into rows and
pools the larger of two grids; the windows are those of PyTorch's adaptive average pooling.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from transfer_jax.analysis import batch_moments, moments
from transfer_jax.core import names
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


def common_grid(a: Shaped, b: Shaped) -> Grid:
    """Returns rows and columns of the grid on which two activations meet: the lower
    number of each.
    """
    (high, wide), (other_high, other_wide) = _grid(a), _grid(b)
    return min(high, other_high), min(wide, other_wide)


def _windows(size: int, count: int) -> Float[np.ndarray, "count size"]:
    """Returns weights whose row i averages the i-th of `count` windows over `size` places.

    The window is floor(i size / count) up to, not including, ceil((i + 1) size / count).
    """
    places, i = np.arange(size)[None], np.arange(count)[:, None]
    inside = (places >= i * size // count) & (places < -(-(i + 1) * size // count))
    return inside / inside.sum(1, keepdims=True)


def fold(x: Float[Array, "b h w c"] | Float[Array, "b c"], grid: Grid) -> Float[Array, "n c"]:
    """Returns positions as rows, after averaging to the grid.

    Args:
      x: Activations [b, h, w, c], or [b, c], which is one position per image.
      grid: (rows, columns) per image, at most those of x.

    Returns:
      [b * rows * columns, c], in float32 at least.
    """
    x = x.astype(jnp.promote_types(x.dtype, np.float32))
    if x.ndim == 2:
        return x
    b, h, w, c = x.shape
    high, wide = h // grid[0], w // grid[1]
    if (h, w) == grid:
        pass
    elif (high * grid[0], wide * grid[1]) == (h, w):
        x = x.reshape(b, grid[0], high, grid[1], wide, c).mean((2, 4))
    else:
        rows, columns = (
            jnp.asarray(_windows(size, count), x.dtype)
            for size, count in zip((h, w), grid, strict=True)
        )
        x = jnp.einsum("gh,bhwc->bgwc", rows, x, precision=jax.lax.Precision.HIGHEST)
        x = jnp.einsum("kw,bgwc->bgkc", columns, x, precision=jax.lax.Precision.HIGHEST)
    return x.reshape(-1, c)


def by_row(counted: Any, grid: Grid) -> Any:
    """Returns values per image [b] as values per row [b * rows * columns] of `fold`."""
    return jnp.repeat(counted, grid[0] * grid[1])


def choose_pairs(
    x: Iterable[str], y: Iterable[str], pairs: Iterable[moments.Pair] | None = None
) -> list[moments.Pair]:
    """Returns the pairs of stages, each once; all of them where `pairs` is None.

    Raises:
      AnalysisError: There are none, or one names a stage that does not exist.
    """
    x, y = list(x), list(y)
    stage_pairs = [(a, b) for a in x for b in y] if pairs is None else list(dict.fromkeys(pairs))
    for number, known, stages in (
        ("first", x, [a for a, _ in stage_pairs]),
        ("second", y, [b for _, b in stage_pairs]),
    ):
        for name in stages:
            if name not in known:
                raise AnalysisError(
                    f"the {number} network has no stage {name!r}: {names.nearest(name, known)}"
                )
    if not stage_pairs:
        raise AnalysisError(
            f"no pair of stages to compare: the first network has {', '.join(x) or 'none'}, the"
            f" second {', '.join(y) or 'none'}"
        )
    return stage_pairs


def empty(
    x: Mapping[str, Shaped],
    y: Mapping[str, Shaped],
    pairs: Iterable[moments.Pair] | None = None,
    mesh: Mesh | None = None,
) -> StageMoments:
    """Returns moments of nothing yet, by the grid on which stages meet.

    Args:
      x: The first network's activations by stage, or anything with their shapes ([b, h, w, c] or
        [b, c]), e.g. from jax.eval_shape.
      y: The second network's activations by stage.
      pairs: The (first, second) stages which are compared; all where None.
      mesh: See `moments.empty`.

    Raises:
      AnalysisError: A stage's activations have another number of axes, or as `choose_pairs`.
    """
    met: dict[Grid, list[moments.Pair]] = {}
    for a, b in choose_pairs(x, y, pairs):
        for name, of in ((a, x[a]), (b, y[b])):
            if len(of.shape) not in (2, 4):
                raise AnalysisError(
                    f"{name}: activations of the shape {tuple(of.shape)}: a stage's are [b, h, w,"
                    " c] or [b, c]"
                )
        met.setdefault(common_grid(x[a], y[b]), []).append((a, b))
    return {
        grid: moments.empty(
            {a: x[a].shape[-1] for a, _ in some}, {b: y[b].shape[-1] for _, b in some}, some, mesh
        )
        for grid, some in met.items()
    }


@jax.jit
def _update(
    state: StageMoments, xs: dict[str, Any], ys: dict[str, Any], counted: Any = None
) -> StageMoments:
    def folded(side: Mapping[str, Any], from_: dict[str, Any], grid: Grid) -> dict[str, Any]:
        return {name: fold(from_[name], grid) for name in side}

    return {
        grid: batch_moments.update(
            of,
            folded(of.x, xs, grid),
            folded(of.y, ys, grid),
            None if counted is None else by_row(counted, grid),
        )
        for grid, of in state.items()
    }


def update(
    state: StageMoments,
    xs: Mapping[str, Any],
    ys: Mapping[str, Any],
    counted: batch_moments.Counted | None = None,
) -> StageMoments:
    """Adds a batch of both networks' activations on the same images: one compiled call.

    Args:
      state: The state so far, from `empty`.
      xs: Activations [b, h, w, c] or [b, c] per stage of the first network.
      ys: Activations per stage of the second network.
      counted: 1 or True for the images that count, 0 for those that only fill up the batch and may
        hold anything, [b]; all count where None.

    Raises:
      AnalysisError: `counted` and the activations have different numbers of images.
    """
    return _update(state, dict(xs), dict(ys), counted)


@jax.jit
def merge(a: StageMoments, b: StageMoments) -> StageMoments:
    """Returns the moments of both sets of images."""
    return {grid: moments.merge(of, b[grid]) for grid, of in a.items()}
