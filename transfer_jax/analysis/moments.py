"""Means, covariances and cross-covariances of activations, batch by batch.

Memory depends on the channels alone. Batches are joined with Chan's update, and every total is a pair of
numbers: its value, and what rounding lost of it. A state is kept in a frame of its own, which its first
batch sets: per channel an origin that is taken from every row, and per side a power of two that every
row is scaled by. In that frame float32 survives millions of positions, means that are a million times
the deviation, and values of any size. Rows of float64 on the host are brought into it before they become
float32. With jax_enable_x64 everything is float64. Rows may be split over a mesh: the sums under jit
then reduce over its devices.

Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician
1983; Knuth's two-sum.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Num

from transfer_jax.analysis.rows import as_rows
from transfer_jax.analysis.totals import Total, plus, two_sum
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError

Counted = Bool[Array, " _"] | Num[Array, " _"] | Bool[np.ndarray, " _"] | Num[np.ndarray, " _"]
Pair = tuple[str, str]
ROUNDINGS = 4  # a deviation below so many roundings of the mean cannot be told from none
_WIDEST = 120  # of a power of two that float32 holds, with room for squares of sums


class Frame(NamedTuple):
    """What takes rows to the numbers that are summed: row * 2^exponent - origin.

    Attributes:
      origin: [d].
      exponent: int32 [].
      resolution: Relative spacing of the coarsest numbers that rows came in, [].
    """

    origin: Total
    exponent: Array
    resolution: Array


class Own(NamedTuple):
    """What one activation needs, in its frame.

    Attributes:
      mean: [d].
      products: Sum of the centred products, [d, d].
      frame: Its frame.
    """

    mean: Total
    products: Total
    frame: Frame

    @property
    def place(self) -> Any:
        """Mean of the rows themselves, times 2^exponent, [d]."""
        return self.frame.origin.high + self.mean.high

    def mean_of_rows(self) -> Float[np.ndarray, " d"]:
        """Returns the mean of the rows as they were given, in float64 on the host."""
        total = self.frame.origin.value() + self.mean.value()
        return np.ldexp(total, -int(self.frame.exponent))

    def products_of_rows(self) -> Float[np.ndarray, "d d"]:
        """Returns the sum of the centred products of the rows as they were given, in float64."""
        return np.ldexp(self.products.value(), -2 * int(self.frame.exponent))

    def unresolved(self, n: Any) -> Any:
        """Channels whose deviation is lost in the rounding of the numbers that they came in, [d]."""
        variance = self.products.high.diagonal()
        least = (ROUNDINGS * self.frame.resolution * self.place) ** 2
        return (variance > 0) & (variance <= n * least)


class Moments(NamedTuple):
    """Moments of activations of two networks at the same positions, by the stages' names."""

    n: Total
    x: dict[str, Own]
    y: dict[str, Own]
    cross: dict[Pair, Total]

    def positions(self) -> int:
        """Returns the number of positions so far."""
        return round(float(self.n.value()))

    def cross_of_rows(self, pair: Pair) -> Float[np.ndarray, "d1 d2"]:
        """Returns the sum of the centred products of a pair's rows as they were given, in float64."""
        exponents = self.x[pair[0]].frame.exponent, self.y[pair[1]].frame.exponent
        return np.ldexp(self.cross[pair].value(), -sum(map(int, exponents)))


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

    def scalar(dtype: Any) -> Any:
        zero = np.zeros((), dtype)
        return jnp.asarray(zero) if mesh is None else meshes.put_whole(mesh, zero)

    def side(widths: Mapping[str, int]) -> dict[str, Own]:
        return {name: Own(total(d), total(d, d), Frame(total(d), scalar(np.int32), scalar(kind))) for name, d in widths.items()}

    chosen = [(a, b) for a in x for b in y] if pairs is None else list(pairs)
    return Moments(total(), side(x), side(y), {(a, b): total(x[a], y[b]) for a, b in chosen})


def _products(a: Array, b: Array) -> Array:
    return jnp.einsum("ni,nj->ij", a, b, precision=jax.lax.Precision.HIGHEST)


def _outer(a: Array, b: Array) -> Array:
    return a[:, None] * b[None, :]


def _power(exponent: Any, kind: Any) -> Array:
    return jnp.exp2(exponent.astype(kind))


def _begin(rows: Array, counted: Array | None, frame: Frame) -> Frame:
    """Returns the frame that a first batch sets: its mean is the origin, its largest deviation near 1."""
    kind = frame.origin.high.dtype
    rows = jnp.where(_mask(rows, counted), rows.astype(kind), 0)
    n = len(rows) if counted is None else jnp.maximum((counted > 0).sum(dtype=kind), 1)

    def exponent(values: Array) -> Array:
        largest = jnp.where(jnp.isfinite(values), jnp.abs(values), 0).max(initial=0)
        found = -jnp.floor(jnp.log2(jnp.where(largest > 0, largest, 1)))
        return jnp.clip(found, -_WIDEST, _WIDEST).astype(jnp.int32)

    first = exponent(rows)  # so that neither the sum nor a difference overflows
    rows = rows * _power(first, kind)
    mean = rows.sum(0) / n
    apart = jnp.where(_mask(rows, counted), rows - mean[None], 0)
    constant = ~(apart != 0).any()
    more = jnp.where(constant, 0, jnp.minimum(exponent(apart), _WIDEST - first))
    origin = mean * _power(more, kind)
    return frame._replace(origin=Total(origin, jnp.zeros_like(origin)), exponent=first + more)


def _mask(rows: Array, counted: Array | None) -> Array:
    return jnp.ones((len(rows), 1), bool) if counted is None else (counted > 0)[:, None]


def _framed(moments: Moments, xs: Mapping[str, Array], ys: Mapping[str, Array], counted: Array | None) -> Moments:
    """Returns the moments, of which those that are empty get the frame of this batch."""

    def frames() -> Any:
        sides = (moments.x, xs), (moments.y, ys)
        return [{k: _begin(rows[k], counted, own.frame) for k, own in side.items()} for side, rows in sides]

    def kept() -> Any:
        return [{k: own.frame for k, own in side.items()} for side in (moments.x, moments.y)]

    x, y = jax.lax.cond(moments.n.high > 0, kept, frames)
    return moments._replace(
        x={name: own._replace(frame=x[name]) for name, own in moments.x.items()},
        y={name: own._replace(frame=y[name]) for name, own in moments.y.items()},
    )


def _of_batch(
    moments: Moments,
    xs: Mapping[str, Array],
    ys: Mapping[str, Array],
    counted: Array | None,
    framed: bool,
) -> Moments:
    """Returns the moments of one batch, in the frames of `moments`; `framed` rows are in them already."""
    kind = moments.n.high.dtype
    n = len(next(iter(xs.values()))) if counted is None else (counted > 0).sum(dtype=kind)

    def kept(rows: Array) -> Array:
        # Not a product: a row that does not count may hold NaN.
        return rows if counted is None else jnp.where((counted > 0)[:, None], rows, 0)

    def average(rows: Array) -> Array:
        return rows.mean(0) if counted is None else rows.sum(0) / jnp.maximum(n, 1)

    def centred(rows: Array, frame: Frame) -> tuple[Array, Array, Array]:
        rows = rows.astype(kind)
        if not framed:
            rows = rows * _power(frame.exponent, kind) - frame.origin.high[None]
            rows = rows - frame.origin.low[None]
        rows = kept(rows)
        mean = average(rows)
        rest = kept(rows - mean[None])
        return rest, mean, average(rest)

    x, y = ({name: centred(rows[name], own.frame) for name, own in side.items()} for side, rows in ((moments.x, xs), (moments.y, ys)))

    def products(a: tuple[Array, Array, Array], b: tuple[Array, Array, Array]) -> Total:
        return two_sum(_products(a[0], b[0]), -n * _outer(a[2], b[2]))

    def own(side: dict[str, tuple[Array, Array, Array]], before: dict[str, Own], rows: Mapping[str, Array]) -> dict[str, Own]:
        made = {}
        for name, of in side.items():
            frame = before[name].frame
            if not framed:
                spacing = jnp.asarray(float(jnp.finfo(rows[name].dtype).eps), kind)
                frame = frame._replace(resolution=jnp.maximum(frame.resolution, spacing))
            made[name] = Own(two_sum(of[1], of[2]), products(of, of), frame)
        return made

    cross = {(a, b): products(x[a], y[b]) for a, b in moments.cross}
    count = Total(jnp.asarray(n, kind), jnp.zeros((), kind))
    return Moments(count, own(x, moments.x, xs), own(y, moments.y, ys), cross)


@jax.jit
def merge(a: Moments, b: Moments) -> Moments:
    """Returns the moments of both sets of positions; the stages are the same."""
    empty = ~(a.n.high > 0)
    frames = [{name: _common(own.frame, other[name].frame, empty) for name, own in side.items()} for side, other in ((a.x, b.x), (a.y, b.y))]
    return _merge(_moved(a, *frames), _moved(b, *frames))


def _common(a: Frame, b: Frame, empty: Array) -> Frame:
    """Returns the frame of a sum: the first one's, or the second's where the first is empty."""
    one: Frame = jax.tree.map(lambda mine, other: jnp.where(empty, other, mine), a, b)
    return one._replace(resolution=jnp.maximum(a.resolution, b.resolution))


def _moved(moments: Moments, x: Mapping[str, Frame], y: Mapping[str, Frame]) -> Moments:
    """Returns the same moments in other frames."""
    kind = moments.n.high.dtype

    def factor(own: Own, frame: Frame) -> Array:
        return _power(frame.exponent - own.frame.exponent, kind)

    def scaled(total: Total, by: Array) -> Total:
        return Total(total.high * by, total.low * by)

    def moved(own: Own, frame: Frame) -> Own:
        by = factor(own, frame)
        from_, to = own.frame.origin, frame.origin
        step = two_sum(from_.high * by, -to.high)
        low = step.low + (from_.low * by - to.low)
        mean = plus(scaled(own.mean, by), *(jnp.where(moments.n.high > 0, s, 0) for s in (step.high, low)))
        return Own(mean, scaled(own.products, by * by), frame)

    cross = {(a, b): scaled(total, factor(moments.x[a], x[a]) * factor(moments.y[b], y[b])) for (a, b), total in moments.cross.items()}
    return moments._replace(
        x={name: moved(own, x[name]) for name, own in moments.x.items()},
        y={name: moved(own, y[name]) for name, own in moments.y.items()},
        cross=cross,
    )


def _merge(a: Moments, b: Moments) -> Moments:
    """Joins moments of the same frames."""
    n = plus(a.n, b.n.high, b.n.low)
    share = jnp.where(n.high > 0, b.n.high / jnp.maximum(n.high, 1), 0)
    weight = a.n.high * share

    def apart(mine: dict[str, Own], other: dict[str, Own]) -> dict[str, Total]:
        steps = {name: two_sum(other[name].mean.high, -own.mean.high) for name, own in mine.items()}
        return {name: Total(step.high, step.low + (other[name].mean.low - mine[name].mean.low)) for name, step in steps.items()}

    def join(mine: Total, other: Total, left: Total, right: Total) -> Total:
        between = weight * _outer(left.high + left.low, right.high + right.low)
        return plus(mine, other.high, other.low, between)

    def side(mine: dict[str, Own], other: dict[str, Own], steps: dict[str, Total]) -> dict[str, Own]:
        def own(of: Own, added: Own, step: Total) -> Own:
            mean = plus(of.mean, share * step.high, share * step.low)
            return Own(mean, join(of.products, added.products, step, step), added.frame)

        return {name: own(of, other[name], steps[name]) for name, of in mine.items()}

    x, y = apart(a.x, b.x), apart(a.y, b.y)
    cross = {pair: join(total, b.cross[pair], x[pair[0]], y[pair[1]]) for pair, total in a.cross.items()}
    return Moments(n, side(a.x, b.x, x), side(a.y, b.y, y), cross)


@functools.partial(jax.jit, static_argnames="framed")
def _update(
    moments: Moments,
    xs: Mapping[str, Any],
    ys: Mapping[str, Any],
    counted: Any = None,
    *,
    framed: bool = False,
) -> Moments:
    if not framed:
        moments = _framed(moments, xs, ys, counted)
    return _merge(moments, _of_batch(moments, xs, ys, counted, framed))


def update(
    moments: Moments,
    xs: Mapping[str, Any],
    ys: Mapping[str, Any],
    counted: Counted | None = None,
) -> Moments:
    """Adds the rows of one batch: one compiled call, whatever was added before.

    Args:
      moments: Moments so far.
      xs: Rows [n, d] by stage of the first network; n is the same for all, and row i of each is the
        same position of the same image. Where all rows are float64 arrays of NumPy, they are brought
        into the moments' frame in float64.
      ys: Rows of the second network.
      counted: [n], 1 or True for the rows that count, 0 for those that only fill up the batch and may
        hold anything; all count where it is None.

    Raises:
      AnalysisError: Rows are no tables of numbers, they do not correspond, or a width is not that of
        the moments.
    """
    xs, ys = ({name: as_rows(of, name) for name, of in side.items()} for side in (xs, ys))
    for given, side in ((xs, moments.x), (ys, moments.y)):
        for name, own in side.items():
            _check_width(name, given.get(name), len(own.mean.high))
    counts = {name: len(rows) for side in (xs, ys) for name, rows in side.items()}
    if counted is not None:
        counts["counted"] = len(counted)
    if len(set(counts.values())) > 1:
        rows = ", ".join(f"{name} has {count} rows" for name, count in counts.items())
        raise AnalysisError(f"the activations do not correspond: {rows}")
    if not next(iter(counts.values()), 0):
        return moments
    every = [*xs.values(), *ys.values()]
    on_host = all(isinstance(rows, np.ndarray) and rows.dtype == np.float64 for rows in every)
    if not on_host or moments.n.high.dtype == np.float64:
        return _update(moments, xs, ys, counted)
    if counted is not None and not (np.asarray(counted) > 0).any():
        return moments
    moments, xs, ys = _in_frame(moments, xs, ys, counted)
    return _update(moments, xs, ys, counted, framed=True)


def _check_width(name: str, rows: Any, width: int) -> None:
    if rows is None:
        raise AnalysisError(f"{name} is missing, but the moments were made with it")
    if rows.shape[1] != width:
        turned = f"; it has {width} rows: is it transposed?" if len(rows) == width else ""
        raise AnalysisError(f"{name}: {rows.shape[1]} channels, but the moments were made for {width}{turned}")


def _in_frame(
    moments: Moments, xs: Mapping[str, Any], ys: Mapping[str, Any], counted: Any
) -> tuple[Moments, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns float64 rows in the moments' frames as float32, and the moments with these frames."""
    keep = slice(None) if counted is None else np.asarray(counted) > 0
    first = moments.positions() == 0
    sides = []
    for side, rows in ((moments.x, xs), (moments.y, ys)):
        owns, framed = {}, {}
        for name, own in side.items():
            frame = _frame_of(rows[name][keep], own.frame) if first else own.frame
            eps = np.float32(np.finfo(np.float64).eps)
            resolution = jnp.maximum(jnp.asarray(frame.resolution), eps)
            owns[name] = own._replace(frame=frame._replace(resolution=resolution))
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                scaled = np.ldexp(rows[name], int(frame.exponent)) - frame.origin.value()[None]
                framed[name] = scaled.astype(np.float32)
        sides.append((owns, framed))
    (x, xs), (y, ys) = sides
    return moments._replace(x=x, y=y), xs, ys


def _frame_of(rows: Float[np.ndarray, "n d"], frame: Frame) -> Frame:
    """Returns the frame of first rows in float64, see `_begin`."""
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.abs(rows[np.isfinite(rows)])
        first = -int(np.floor(np.log2(finite.max()))) if finite.size and finite.max() > 0 else 0
        rows = np.ldexp(rows, first)
        mean = rows.mean(0)
        apart = np.abs(rows - mean[None])
        apart = apart[np.isfinite(apart) & (apart > 0)]
        more = -int(np.floor(np.log2(apart.max()))) if apart.size else 0
        origin = np.ldexp(mean, more)
        high = origin.astype(np.float32)
        low = (origin - high).astype(np.float32)
    return frame._replace(origin=Total(jnp.asarray(high), jnp.asarray(low)), exponent=jnp.int32(first + more))
