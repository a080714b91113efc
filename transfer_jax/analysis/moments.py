"""Means, covariances and cross-covariances of activations, batch by batch.

Memory depends on the channels alone. Batches are joined with Chan's update, and every total is a
pair of numbers (its value and what rounding lost of it), so that float32 survives millions of
positions. Before the products of a batch are taken, its first row is taken from it, then the mean
of what is left: a number that stands in the data is exact wherever it is computed, while the mean
of numbers far from zero has a rounding error of many deviations, and not the same one everywhere in
a compiled program. Channels of tiny or huge values are kept in units of their own, see `units`.
With jax_enable_x64 everything is float64; without it, NumPy's float64 is centred before it becomes
float32, see `rows`. Rows may be split over a mesh: the sums under jit then reduce over its devices.

Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American
Statistician 1983; Knuth's two-sum.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Num

from transfer_jax.analysis import rows as doors
from transfer_jax.analysis import units
from transfer_jax.analysis.rows import Centred
from transfer_jax.analysis.totals import Total, plus, two_sum
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError

Counted = Bool[Array, " _"] | Num[Array, " _"] | Bool[np.ndarray, " _"] | Num[np.ndarray, " _"]
Pair = tuple[str, str]


class Own(NamedTuple):
    """What one activation needs, each channel in its unit.

    Attributes:
      mean: [d].
      products: [d, d] sum of the centred products.
      exponent: [d] the units are 2^exponent; 0 for channels of ordinary size.
      rounding: [d] the rounding of the largest value so far.
    """

    mean: Total
    products: Total
    exponent: Any
    rounding: Any


class Moments(NamedTuple):
    """Moments of activations of two networks at the same positions, by the stages' names."""

    n: Total
    x: dict[str, Own]
    y: dict[str, Own]
    cross: dict[Pair, Total]

    def positions(self) -> int:
        """Returns the number of positions so far."""
        return round(float(self.n.value()))


def empty(x: Mapping[str, int], y: Mapping[str, int], pairs: Iterable[Pair] | None = None, mesh: Mesh | None = None) -> Moments:
    """Returns moments of nothing yet.

    Args:
      x: Number of channels by stage of the first network.
      y: Number of channels by stage of the second network.
      pairs: The (first, second) stages which are compared; all where None.
      mesh: The mesh over which the rows will be split, if any; without it the second update of
        split rows compiles once more.

    Raises:
      AnalysisError: A stage has no channels.
    """
    kind = jax.dtypes.canonicalize_dtype(np.float64)

    def put(value: np.ndarray) -> Any:
        return jnp.asarray(value) if mesh is None else meshes.put_whole(mesh, value)

    def total(*shape: int) -> Total:
        return Total(*(put(np.zeros(shape, kind)) for _ in range(2)))

    def side(widths: Mapping[str, int]) -> dict[str, Own]:
        return {name: Own(total(d), total(d, d), put(np.full(d, units.NOTHING, np.int32)), put(np.zeros(d, kind))) for name, d in widths.items()}

    for name, d in [*x.items(), *y.items()]:
        if d < 1:
            raise AnalysisError(f"{name}: {d} channels: there must be at least 1")
    chosen = [(a, b) for a in x for b in y] if pairs is None else list(pairs)
    return Moments(total(), side(x), side(y), {(a, b): total(x[a], y[b]) for a, b in chosen})


def _products(a: Array, b: Array) -> Array:
    return jnp.einsum("ni,nj->ij", a, b, precision=jax.lax.Precision.HIGHEST)


def _outer(a: Array, b: Array) -> Array:
    return a[:, None] * b[None, :]


class _Side(NamedTuple):
    """One activation of a batch: centred rows [n, d], how far their mean is from 0, and the rest of `Own`."""

    rest: Array
    off: Array
    mean: Total
    exponent: Array
    rounding: Array


def _of_batch(moments: Moments, xs: Mapping[str, Any], ys: Mapping[str, Any], counted: Array | None) -> Moments:
    kind = moments.n.high.dtype
    n = next(iter(xs.values())).shape[0] if counted is None else (counted > 0).sum(dtype=kind)

    def kept(rows: Array) -> Array:
        return rows if counted is None else jnp.where((counted > 0)[:, None], rows, 0)  # not a product: a row may hold NaN

    def average(rows: Array) -> Array:
        return rows.sum(0) / jnp.maximum(n, 1)

    def prepared(given: Any) -> Centred:
        if isinstance(given, Centred):
            return given.replace(values=kept(given.values))  # type: ignore[attr-defined]
        precision = jnp.finfo(jnp.promote_types(given.dtype, np.float32)).eps
        values = kept(given.astype(kind))
        largest = jnp.abs(values).max(0)
        exponent = units.choose(jnp, largest)
        zero = jnp.zeros_like(largest)
        # Devices take numbers below the smallest normal one for 0.
        rounding = jnp.maximum(precision * largest, jnp.finfo(kind).tiny)
        return Centred(units.into(values, exponent), zero, zero, exponent, units.into(rounding, exponent))

    def centred(given: Any) -> _Side:
        rows = prepared(given)
        first = rows.values[0 if counted is None else jnp.argmax(counted > 0)]
        rest = kept(rows.values - first[None])
        near = average(rest)
        rest = kept(rest - near[None])
        off = average(rest)
        return _Side(rest, off, plus(Total(rows.high, rows.low), first, near, off), rows.exponent, rows.rounding)

    x, y = ({name: centred(rows[name]) for name in side} for side, rows in ((moments.x, xs), (moments.y, ys)))

    def products(a: _Side, b: _Side) -> Total:
        return two_sum(_products(a.rest, b.rest), -n * _outer(a.off, b.off))

    def own(side: dict[str, _Side]) -> dict[str, Own]:
        return {name: Own(of.mean, products(of, of), of.exponent, of.rounding) for name, of in side.items()}

    cross = {(a, b): products(x[a], y[b]) for a, b in moments.cross}
    return Moments(Total(jnp.asarray(n, kind), jnp.zeros((), kind)), own(x), own(y), cross)


def _in_common_units(a: Moments, b: Moments) -> tuple[Moments, Moments]:
    """Returns both with every channel in the larger one of its two units."""
    kind = a.n.high.dtype

    def factors(of: dict[str, Own], other: dict[str, Own]) -> dict[str, Array]:
        return {name: units.factor(own.exponent, jnp.maximum(own.exponent, other[name].exponent), kind) for name, own in of.items()}

    def scaled(total: Total, by: Array) -> Total:
        return Total(total.high * by, total.low * by)

    def side(of: dict[str, Own], other: dict[str, Own], by: dict[str, Array]) -> dict[str, Own]:
        return {
            name: Own(
                scaled(own.mean, by[name]),
                scaled(own.products, _outer(by[name], by[name])),
                jnp.maximum(own.exponent, other[name].exponent),
                own.rounding * by[name],
            )
            for name, own in of.items()
        }

    def moments(of: Moments, other: Moments) -> Moments:
        x, y = factors(of.x, other.x), factors(of.y, other.y)
        cross = {pair: scaled(total, _outer(x[pair[0]], y[pair[1]])) for pair, total in of.cross.items()}
        return Moments(of.n, side(of.x, other.x, x), side(of.y, other.y, y), cross)

    return moments(a, b), moments(b, a)


@jax.jit
def merge(a: Moments, b: Moments) -> Moments:
    """Returns the moments of both sets of positions; the stages are the same."""
    a, b = _in_common_units(a, b)
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
            mean = plus(of.mean, share * step.high, share * step.low)
            return Own(mean, join(of.products, added.products, step, step), of.exponent, jnp.maximum(of.rounding, added.rounding))

        return {name: own(of, other[name], steps[name]) for name, of in mine.items()}

    x, y = apart(a.x, b.x), apart(a.y, b.y)
    cross = {pair: join(total, b.cross[pair], x[pair[0]], y[pair[1]]) for pair, total in a.cross.items()}
    return Moments(n, side(a.x, b.x, x), side(a.y, b.y, y), cross)


@jax.jit
def _update(moments: Moments, xs: Mapping[str, Any], ys: Mapping[str, Any], counted: Any = None) -> Moments:
    return merge(moments, _of_batch(moments, xs, ys, counted))


def update(moments: Moments, xs: Mapping[str, Any], ys: Mapping[str, Any], counted: Counted | None = None) -> Moments:
    """Adds the rows of one batch: one compiled call, whatever was added before.

    Args:
      moments: The moments so far.
      xs: Rows [n, d] by stage of the first network, see `rows.check`; n is the same for all, and
        row i of each is the same position of the same image.
      ys: Rows by stage of the second network.
      counted: [n], 1 or True for the rows that count, 0 for those that only fill up the batch and
        may hold anything; all count where None.

    Raises:
      AnalysisError: The activations are not rows of real numbers, they do not correspond, or their
        width is not that of the moments.
    """
    given = [{name: doors.check(rows[name], name) for name in rows if name in side} for rows, side in ((xs, moments.x), (ys, moments.y))]
    for rows, side in zip(given, (moments.x, moments.y), strict=True):
        for name, own in side.items():
            width = len(own.mean.high)
            if name not in rows or rows[name].shape[1] != width:
                got = rows[name].shape[1] if name in rows else "none"
                hint = doors.transposed([name]) if name in rows and rows[name].shape[0] == width else ""
                raise AnalysisError(f"{name}: {got} channels, but the moments were made for {width}{hint}")
    counts = {name: rows.shape[0] for side in given for name, rows in side.items()} | ({} if counted is None else {"counted": len(counted)})
    if len(set(counts.values())) > 1:
        raise AnalysisError(f"the activations do not correspond: {', '.join(f'{k} has {v} rows' for k, v in counts.items())}")
    if not next(iter(counts.values()), 0):
        return moments
    x, y = ({name: doors.widen(rows, counted) for name, rows in side.items()} for side in given)
    return _update(moments, x, y, counted)
