"""Means, covariances and cross-covariances of activations.

Memory depends on the channels alone. Moments are merged with Chan's update, and every total is a
pair of numbers (its value and what rounding removed from it), so that float32 survives millions of
positions. `batch_moments` adds the rows of a batch. It first subtracts the batch's first row, then
the mean of what is left: a number that stands in the data is exact wherever it is computed, while
the mean of numbers far from zero has a rounding error of many deviations, and not the same one
everywhere in a compiled program. Channels of tiny or huge values are kept in units of their own,
see `units`. With jax_enable_x64 everything is float64; without it, NumPy's float64 is centred
before it becomes float32, see `activations`. Rows may be split over a mesh: the sums under jit then
reduce over its devices.

Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American
Statistician 1983; Knuth's two-sum.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from transfer_jax.analysis import units
from transfer_jax.analysis.arithmetic import Total, outer, plus, two_sum
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError

Pair = tuple[str, str]


class ActivationMoments(NamedTuple):
    """The moments of one activation, each channel in its unit.

    Attributes:
      mean: Mean, [d].
      products: Sum of the centred products, [d, d].
      exponent: The units are 2^exponent, [d]; 0 for channels of ordinary size.
      rounding: Rounding of the largest value so far, [d].
    """

    mean: Total
    products: Total
    exponent: Any
    rounding: Any


class Moments(NamedTuple):
    """Moments of activations of two networks at the same positions, by the names of the stages."""

    n: Total
    x: dict[str, ActivationMoments]
    y: dict[str, ActivationMoments]
    cross: dict[Pair, Total]

    def positions(self) -> int:
        """Returns the number of positions so far."""
        return round(float(self.n.value()))


def empty(
    x: Mapping[str, int],
    y: Mapping[str, int],
    pairs: Iterable[Pair] | None = None,
    mesh: Mesh | None = None,
) -> Moments:
    """Returns moments of no positions yet.

    Args:
      x: Number of channels per stage of the first network.
      y: Number of channels per stage of the second network.
      pairs: The (first, second) stages that are compared; all where None.
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

    def side(widths: Mapping[str, int]) -> dict[str, ActivationMoments]:
        return {
            name: ActivationMoments(
                total(d),
                total(d, d),
                put(np.full(d, units.NOTHING, np.int32)),
                put(np.zeros(d, kind)),
            )
            for name, d in widths.items()
        }

    for name, d in [*x.items(), *y.items()]:
        if d < 1:
            raise AnalysisError(f"{name}: {d} channels: there must be at least 1")
    stage_pairs = [(a, b) for a in x for b in y] if pairs is None else list(pairs)
    return Moments(total(), side(x), side(y), {(a, b): total(x[a], y[b]) for a, b in stage_pairs})


def _in_common_units(a: Moments, b: Moments) -> tuple[Moments, Moments]:
    """Returns both with every channel in the larger one of its two units."""
    kind = a.n.high.dtype

    def factors(
        of: dict[str, ActivationMoments], other: dict[str, ActivationMoments]
    ) -> dict[str, Array]:
        return {
            name: units.factor(
                activation.exponent, jnp.maximum(activation.exponent, other[name].exponent), kind
            )
            for name, activation in of.items()
        }

    def scaled(total: Total, by: Array) -> Total:
        return Total(total.high * by, total.low * by)

    def side(
        of: dict[str, ActivationMoments], other: dict[str, ActivationMoments], by: dict[str, Array]
    ) -> dict[str, ActivationMoments]:
        return {
            name: ActivationMoments(
                scaled(activation.mean, by[name]),
                scaled(activation.products, outer(by[name], by[name])),
                jnp.maximum(activation.exponent, other[name].exponent),
                activation.rounding * by[name],
            )
            for name, activation in of.items()
        }

    def moments(of: Moments, other: Moments) -> Moments:
        x, y = factors(of.x, other.x), factors(of.y, other.y)
        cross = {
            pair: scaled(total, outer(x[pair[0]], y[pair[1]])) for pair, total in of.cross.items()
        }
        return Moments(of.n, side(of.x, other.x, x), side(of.y, other.y, y), cross)

    return moments(a, b), moments(b, a)


@jax.jit
def merge(a: Moments, b: Moments) -> Moments:
    """Returns the moments of both sets of positions; the stages are the same."""
    a, b = _in_common_units(a, b)
    n = plus(a.n, b.n.high, b.n.low)
    share = jnp.where(n.high > 0, b.n.high / jnp.maximum(n.high, 1), 0)
    weight = a.n.high * share

    def apart(
        one: dict[str, ActivationMoments], other: dict[str, ActivationMoments]
    ) -> dict[str, Total]:
        steps = {
            name: two_sum(other[name].mean.high, -activation.mean.high)
            for name, activation in one.items()
        }
        return {
            name: Total(step.high, step.low + (other[name].mean.low - one[name].mean.low))
            for name, step in steps.items()
        }

    def join(one: Total, other: Total, left: Total, right: Total) -> Total:
        return plus(
            one,
            other.high,
            other.low,
            weight * outer(left.high + left.low, right.high + right.low),
        )

    def side(
        one: dict[str, ActivationMoments],
        other: dict[str, ActivationMoments],
        steps: dict[str, Total],
    ) -> dict[str, ActivationMoments]:
        def own(of: ActivationMoments, added: ActivationMoments, step: Total) -> ActivationMoments:
            mean = plus(of.mean, share * step.high, share * step.low)
            return ActivationMoments(
                mean,
                join(of.products, added.products, step, step),
                of.exponent,
                jnp.maximum(of.rounding, added.rounding),
            )

        return {name: own(of, other[name], steps[name]) for name, of in one.items()}

    x, y = apart(a.x, b.x), apart(a.y, b.y)
    cross = {
        pair: join(total, b.cross[pair], x[pair[0]], y[pair[1]]) for pair, total in a.cross.items()
    }
    return Moments(n, side(a.x, b.x, x), side(a.y, b.y, y), cross)
