"""Means, covariances and cross-covariances of activations, batch by batch: memory depends on the channels alone.

Batches are joined with Chan's update. Every total is a pair of numbers (its value and what rounding lost of it), and a batch is centred on its
own mean before its products are taken, so that float32 survives millions of positions and means that are a thousand times the deviation. With
jax_enable_x64 everything is float64. Rows may be split over a mesh: the sums under jit then reduce over its devices.

Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 1983; Knuth's two-sum.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Num

from transfer_jax.analysis.totals import Total, plus, two_sum
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError

Rows = Float[Array, "_ _"] | Float[np.ndarray, "_ _"]
Counted = Bool[Array, " _"] | Num[Array, " _"] | Bool[np.ndarray, " _"] | Num[np.ndarray, " _"]
Pair = tuple[str, str]


class Own(NamedTuple):
    """What one activation needs: its mean [d] and the sum of its centred products [d, d]."""

    mean: Total
    products: Total


class Moments(NamedTuple):
    """Moments of activations of two networks at the same positions, by the stages' names."""

    n: Total
    x: dict[str, Own]
    y: dict[str, Own]
    cross: dict[Pair, Total]

    def positions(self) -> int:
        """Positions so far."""
        return round(float(self.n.value()))


def empty(x: Mapping[str, int], y: Mapping[str, int], pairs: Iterable[Pair] | None = None, mesh: Mesh | None = None) -> Moments:
    """Moments of nothing yet.

    Args:
      x: channels by stage of the first network.
      y: of the second.
      pairs: the (first, second) stages which are compared; all where None.
      mesh: the mesh over which the rows will be split, if any; without it the second update of split rows compiles once more.
    """
    kind = jax.dtypes.canonicalize_dtype(np.float64)

    def total(*shape: int) -> Total:
        zeros = np.zeros(shape, kind)
        return Total(*(jnp.asarray(zeros) if mesh is None else meshes.put_whole(mesh, zeros) for _ in range(2)))

    def side(widths: Mapping[str, int]) -> dict[str, Own]:
        return {name: Own(total(d), total(d, d)) for name, d in widths.items()}

    chosen = [(a, b) for a in x for b in y] if pairs is None else list(pairs)
    return Moments(total(), side(x), side(y), {(a, b): total(x[a], y[b]) for a, b in chosen})


def _products(a: Array, b: Array) -> Array:
    return jnp.einsum("ni,nj->ij", a, b, precision=jax.lax.Precision.HIGHEST)


def _outer(a: Array, b: Array) -> Array:
    return a[:, None] * b[None, :]


def _of_batch(moments: Moments, xs: Mapping[str, Array], ys: Mapping[str, Array], counted: Array | None) -> Moments:
    kind = moments.n.high.dtype
    n = len(next(iter(xs.values()))) if counted is None else (counted > 0).sum(dtype=kind)

    def kept(rows: Array) -> Array:
        return rows if counted is None else jnp.where((counted > 0)[:, None], rows, 0)  # not a product: a row may hold NaN

    def average(rows: Array) -> Array:
        return rows.mean(0) if counted is None else rows.sum(0) / jnp.maximum(n, 1)

    def centred(rows: Array) -> tuple[Array, Array, Array]:
        rows = kept(rows.astype(kind))
        mean = average(rows)
        rest = kept(rows - mean[None])
        return rest, mean, average(rest)

    x, y = ({name: centred(rows[name]) for name in side} for side, rows in ((moments.x, xs), (moments.y, ys)))

    def products(a: tuple[Array, Array, Array], b: tuple[Array, Array, Array]) -> Total:
        found = _products(a[0], b[0])
        return two_sum(found, -n * _outer(a[2], b[2]))

    def own(side: dict[str, tuple[Array, Array, Array]]) -> dict[str, Own]:
        return {name: Own(two_sum(of[1], of[2]), products(of, of)) for name, of in side.items()}

    cross = {(a, b): products(x[a], y[b]) for a, b in moments.cross}
    return Moments(Total(jnp.asarray(n, kind), jnp.zeros((), kind)), own(x), own(y), cross)


@jax.jit
def merge(a: Moments, b: Moments) -> Moments:
    """The moments of both sets of positions; the stages are the same."""
    n = plus(a.n, b.n.high, b.n.low)
    share = jnp.where(n.high > 0, b.n.high / jnp.maximum(n.high, 1), 0)
    weight = a.n.high * share

    def apart(mine: dict[str, Own], other: dict[str, Own]) -> dict[str, Total]:
        steps = {name: two_sum(other[name].mean.high, -own.mean.high) for name, own in mine.items()}
        return {name: Total(step.high, step.low + (other[name].mean.low - mine[name].mean.low)) for name, step in steps.items()}

    def join(mine: Total, other: Total, left: Total, right: Total) -> Total:
        return plus(mine, other.high, other.low, weight * _outer(left.high + left.low, right.high + right.low))

    def side(mine: dict[str, Own], other: dict[str, Own], steps: dict[str, Total]) -> dict[str, Own]:
        def own(of: Own, added: Own, step: Total) -> Own:
            return Own(plus(of.mean, share * step.high, share * step.low), join(of.products, added.products, step, step))

        return {name: own(of, other[name], steps[name]) for name, of in mine.items()}

    x, y = apart(a.x, b.x), apart(a.y, b.y)
    cross = {pair: join(total, b.cross[pair], x[pair[0]], y[pair[1]]) for pair, total in a.cross.items()}
    return Moments(n, side(a.x, b.x, x), side(a.y, b.y, y), cross)


@jax.jit
def _update(moments: Moments, xs: Mapping[str, Any], ys: Mapping[str, Any], counted: Any = None) -> Moments:
    return merge(moments, _of_batch(moments, xs, ys, counted))


def update(moments: Moments, xs: Mapping[str, Rows], ys: Mapping[str, Rows], counted: Counted | None = None) -> Moments:
    """Adds the rows of one batch: one compiled call, whatever was added before.

    Args:
      moments: so far.
      xs: rows [n, d] by stage of the first network; n is the same for all, and row i of each is the same position of the same image.
      ys: of the second.
      counted: [n], 1 or True for the rows that count, 0 for those that only fill up the batch and may hold anything; all count where None.

    Raises:
      AnalysisError: the rows do not correspond, or a width is not that of the moments.
    """
    counts = {name: len(rows) for side in (xs, ys) for name, rows in side.items()} | ({} if counted is None else {"counted": len(counted)})
    if len(set(counts.values())) > 1:
        raise AnalysisError(f"the activations do not correspond: {', '.join(f'{k} has {v} rows' for k, v in counts.items())}")
    for rows, side in ((xs, moments.x), (ys, moments.y)):
        for name, own in side.items():
            if name not in rows or rows[name].shape[1] != len(own.mean.high):
                got = rows[name].shape[1] if name in rows else "none"
                raise AnalysisError(f"{name}: {got} channels, but the moments were made for {len(own.mean.high)}")
    return moments if not next(iter(counts.values()), 0) else _update(moments, dict(xs), dict(ys), counted)
