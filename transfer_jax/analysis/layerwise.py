"""Compares two networks stage by stage, in one pass over the images.

    compare = layerwise.make_compare(apply, apply, pairs=layerwise.same(names, names))
    comparisons = compare(variables_a, variables_b, batches)   # {("conv1", "conv1"): (CCA,), ...}

An update runs both networks on a batch and adds the moments of all pairs of stages: one compiled
call, made once for all variables that are compared later. Stages of different grids meet as in
`stage_moments`. Every position is compared or, with `sampling`, Juodelyte's draws. Batches are
looped over in Python: inside a compiled loop convolutions are about 40 times slower on a CPU.
"""

import collections
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh
from jaxtyping import Array

from transfer_jax.analysis import measures, stage_moments
from transfer_jax.analysis import sampling as draws
from transfer_jax.analysis.moments import Pair
from transfer_jax.analysis.result import CCA, Mean
from transfer_jax.analysis.sampling import Sampling
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError

__all__ = [
    "Apply",
    "Batches",
    "Compare",
    "Sampling",
    "make_compare",
    "mean_of",
    "means",
    "same",
]
Apply = Callable[[Any, Array], Mapping[str, Array]]
"""(variables, images [b, h, w, c]) -> activations [b, h, w, c] or [b, c] by stage; traceable."""
Batches = Iterable[tuple[Array, Array]]
"""(images on the device, counted [b]: 0 for images that only fill up the last batch)."""
Comparisons = dict[Pair, tuple[CCA | Mean, ...]]
"""Pair of stages -> one comparison, or one per draw."""
Compare = Callable[[Any, Any, Batches], Comparisons]
_AHEAD = 2  # batches


def same(first: Iterable[str], second: Iterable[str]) -> list[Pair]:
    """Returns the stages that both networks have, each paired with itself, in the first's order."""
    known = set(second)
    return [(name, name) for name in first if name in known]


def mean_of(draws: Sequence[CCA | Mean]) -> Mean:
    """Returns an exact comparison as numbers, or a sampled one by its means."""
    mean, trimmed, chance = (
        statistics.fmean(getattr(draw, name) for draw in draws) for name in Mean._fields[:3]
    )
    return Mean(
        mean,
        trimmed,
        chance,
        draws[0].n,
        min(draw.rank_x for draw in draws),
        min(draw.rank_y for draw in draws),
    )


def means(comparisons: Mapping[Pair, Sequence[CCA | Mean]]) -> dict[Pair, float]:
    """Returns pair -> similarity, the mean over all draws."""
    return {pair: mean_of(draws).mean for pair, draws in comparisons.items()}


def make_compare(
    first: Apply,
    second: Apply,
    *,
    pairs: Iterable[Pair] | None = None,
    measure: str = measures.DEFAULT,
    sampling: Sampling | None = None,
    device: bool = False,
    mesh: Mesh | None = None,
) -> Compare:
    """Returns the function that compares two networks, compiled at its first use.

    Args:
      first: A network, e.g. `lambda variables, images: module.apply(variables, images)[1]`.
      second: The other network, or the same.
      pairs: The (first, second) stages that are compared; all where None.
      measure: Name of the measure, see `measures`.
      sampling: How images and channels are sampled; every position of every channel where None.
      device: See `measures.finish_many`.
      mesh: Mesh over which the batches are split, if any.

    Returns:
      (variables, variables, batches) -> pair -> one result per draw. It raises AnalysisError
      for no batch, an unknown stage, NaN, too few positions, and too few or many sampled images.

    Raises:
      AnalysisError: An unknown measure, or a number of the sampling is out of its range.
    """
    pairs = None if pairs is None else list(pairs)
    kind = _kind(sampling, mesh, measure, device)

    @jax.jit  # traced once for its shapes and the update together
    def forward(a: Any, b: Any, images: Array) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
        # What leaves jit as a dict comes back sorted.
        return collections.OrderedDict(first(a, images)), collections.OrderedDict(second(b, images))

    def add(state: Any, a: Any, b: Any, images: Array, counted: Array) -> Any:
        xs, ys = forward(a, b, images)
        return kind.update(state, xs, ys, counted)

    update = jax.jit(add) if mesh is None else jax.jit(add, out_shardings=meshes.replicated(mesh))

    def compare(a: Any, b: Any, batches: Batches) -> Comparisons:
        if mesh is not None:
            # Wherever variables come from: each other place would compile the update again.
            a, b = jax.device_put((a, b), meshes.replicated(mesh))

        def begin(images: Array) -> tuple[Any, list[Pair]]:
            xs, ys = jax.eval_shape(forward, a, b, images)
            order = stage_moments.choose_pairs(xs, ys, pairs)
            return kind.empty(xs, ys, order), order

        state, order = _accumulate(
            begin, lambda state, *batch: update(state, a, b, *batch), batches
        )
        comparisons = kind.finish(state, order)
        return {pair: tuple(comparisons[pair]) for pair in order}

    return compare


def _accumulate(
    begin: Callable[[Array], tuple[Any, list[Pair]]],
    update: Callable[[Any, Array, Array], Any],
    batches: Batches,
) -> tuple[Any, list[Pair]]:
    """Returns the state after all batches, and the pairs of stages in order."""
    state: Any = None
    order: list[Pair] = []
    in_flight: collections.deque[Array] = collections.deque()
    for images, counted in batches:
        if state is None:
            state, order = begin(images)
        state = update(state, images, counted)
        # One number; without waiting, the images of 32 batches would be in memory.
        in_flight.append(jax.tree.leaves(state)[0])
        if len(in_flight) > _AHEAD:
            jax.block_until_ready(in_flight.popleft())
    if state is None:
        raise AnalysisError("no images to compare the networks on: the batches are empty")
    return state, order


class _Exact(NamedTuple):
    """Comparisons at every position of every channel."""

    mesh: Mesh | None
    measure: str
    device: bool

    def empty(self, xs: Any, ys: Any, pairs: list[Pair]) -> Any:
        return stage_moments.empty(xs, ys, pairs, self.mesh)

    def update(self, state: Any, xs: Any, ys: Any, counted: Array) -> Any:
        return stage_moments.update(state, xs, ys, counted)

    def finish(self, state: Any, pairs: list[Pair]) -> dict[Pair, list[CCA | Mean]]:
        by_grid = measures.finish_many(
            state.values(), self.measure, names=_sides(pairs), device=self.device
        )
        return {pair: [of_pair] for of_grid in by_grid for pair, of_pair in of_grid.items()}


class _Sampled(NamedTuple):
    """Comparisons at sampled positions and channels, one per draw."""

    sampling: Sampling
    mesh: Mesh | None
    measure: str
    device: bool

    def empty(self, xs: Any, ys: Any, pairs: list[Pair]) -> Any:
        return draws.empty(self.sampling, xs, ys, pairs, self.mesh)

    def update(self, state: Any, xs: Any, ys: Any, counted: Array) -> Any:
        return draws.update(self.sampling, state, xs, ys, counted)

    def finish(self, state: draws.Sampled, pairs: list[Pair]) -> dict[Pair, list[CCA | Mean]]:
        images = int(state.seen)
        if images != self.sampling.images:
            raise AnalysisError(
                f"sampling: images={self.sampling.images}, but the batches hold {images} that"
                " count: give the number of images compared"
            )
        repeats = (state if self.device else jax.device_get(state)).repeats()
        per_repeat = measures.finish_many(
            [moments for _, moments in repeats],
            self.measure,
            names=_sides(pairs),
            device=self.device,
        )
        comparisons: dict[Pair, list[CCA | Mean]] = {pair: [] for pair in pairs}
        for (pair, _), comparison in zip(repeats, per_repeat, strict=True):
            comparisons[pair].append(comparison[pair])
        return comparisons


def _kind(
    sampling: Sampling | None, mesh: Mesh | None, measure: str, device: bool
) -> _Exact | _Sampled:
    measures.named(measure)
    if sampling is None:
        return _Exact(mesh, measure, device)
    sampling.check()
    return _Sampled(sampling, mesh, measure, device)


def _sides(pairs: Iterable[Pair]) -> dict[Pair, tuple[str, str]]:
    return {(a, b): (f"{a} of the first network", f"{b} of the second network") for a, b in pairs}
