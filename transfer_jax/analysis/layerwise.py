"""Two networks compared layer by layer, in one pass over the images.

    compare = layerwise.make_compare(apply, apply, pairs=layerwise.same(names, names))
    found = compare(variables_a, variables_b, batches)           # {("conv1", "conv1"): (CCA,), ...}

An update runs both networks on a batch and adds the moments of all pairs of stages: one compiled call, made once for all variables that are
compared later. Stages of different grids meet as in `stage_moments`. What is compared is every position, or, with `sampling`, Juodelyte's draws.
The batches are looped over in Python: inside a compiled loop convolutions are about 40 times slower on a CPU.
"""

import collections
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh
from jaxtyping import Array

from transfer_jax.analysis import cca, stage_moments
from transfer_jax.analysis import sampling as draws
from transfer_jax.analysis.cca import CCA
from transfer_jax.analysis.moments import Pair
from transfer_jax.analysis.sampling import Sampling
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError

__all__ = ["Apply", "Batches", "Compare", "Mean", "Sampling", "make_compare", "mean_of", "means", "same"]
Apply = Callable[[Any, Array], Mapping[str, Array]]
"""(variables, images [b, h, w, c]) -> activations [b, h, w, c] or [b, c] by stage; traceable."""
Batches = Iterable[tuple[Array, Array]]
"""(images on the device, counted [b]: 0 for images that only fill up the last batch)."""
Found = dict[Pair, tuple[CCA, ...]]
Compare = Callable[[Any, Any, Batches], Found]
_AHEAD = 2  # batches


def same(first: Iterable[str], second: Iterable[str]) -> list[Pair]:
    """The stages which both have, each with itself, in the first's order."""
    known = set(second)
    return [(name, name) for name in first if name in known]


class Mean(NamedTuple):
    """A comparison's fields of `CCA`, means over its draws; ranks are the lowest, positions those of the first."""

    mean: float
    mean_trimmed: float
    chance: float
    n: int
    rank_x: int
    rank_y: int


def mean_of(draws: Sequence[CCA]) -> Mean:
    """One pair of stages in numbers: an exact comparison as it is, a sampled one by its means."""
    mean, trimmed, chance = (statistics.fmean(getattr(draw, name) for draw in draws) for name in Mean._fields[:3])
    return Mean(mean, trimmed, chance, draws[0].n, min(draw.rank_x for draw in draws), min(draw.rank_y for draw in draws))


def means(found: Mapping[Pair, Sequence[CCA]]) -> dict[Pair, float]:
    """The mean of all coefficients that can differ from zero (`CCA.mean`), averaged over the repeats."""
    return {pair: mean_of(draws).mean for pair, draws in found.items()}


def make_compare(
    first: Apply,
    second: Apply,
    *,
    pairs: Iterable[Pair] | None = None,
    sampling: Sampling | None = None,
    device: bool = False,
    mesh: Mesh | None = None,
) -> Compare:
    """What compares two networks, compiled at its first use.

    Args:
      first: a network, e.g. `lambda variables, images: module.apply(variables, images, train=False)[1]`.
      second: the other one, or the same.
      pairs: which (first, second) stages are compared; all where None.
      sampling: what is drawn of the images and channels; every position of every channel where None.
      device: see `cca.finish`.
      mesh: over which the batches are split, if any.

    Returns:
      (variables of the first, of the second, batches) -> by pair, in their order, one CCA, or one for every repeat of the sampling. It raises
      AnalysisError for: no batch, a stage that is not there, NaN or infinity (the stage is named), a pair with no more positions than channels,
      and images that are not as many as the sampling says.

    Raises:
      AnalysisError: a number of the sampling is out of its range.
    """
    pairs = None if pairs is None else list(pairs)
    if sampling is not None:
        sampling.check()

    @jax.jit  # traced once for its shapes and the update together
    def forward(a: Any, b: Any, images: Array) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
        return collections.OrderedDict(first(a, images)), collections.OrderedDict(second(b, images))  # what leaves jit as a dict comes back sorted

    def empty(xs: Any, ys: Any, chosen: list[Pair]) -> Any:
        return stage_moments.empty(xs, ys, chosen, mesh) if sampling is None else draws.empty(sampling, xs, ys, chosen, mesh)

    def add(state: Any, a: Any, b: Any, images: Array, counted: Array) -> Any:
        xs, ys = forward(a, b, images)
        return stage_moments.update(state, xs, ys, counted) if sampling is None else draws.update(sampling, state, xs, ys, counted)

    update = jax.jit(add) if mesh is None else jax.jit(add, out_shardings=meshes.replicated(mesh))

    def compare(a: Any, b: Any, batches: Batches) -> Found:
        state, order = None, []
        if mesh is not None:  # wherever variables come from: for each other place the update would be compiled again
            a, b = jax.device_put((a, b), meshes.replicated(mesh))
        in_flight: collections.deque[Array] = collections.deque()
        for images, counted in batches:
            if state is None:
                xs, ys = jax.eval_shape(forward, a, b, images)
                order = stage_moments.choose_pairs(xs, ys, pairs)
                state = empty(xs, ys, order)
            state = update(state, a, b, images, counted)
            in_flight.append(jax.tree.leaves(state)[0])  # one number; without waiting, the images of 32 batches would be in memory
            if len(in_flight) > _AHEAD:
                jax.block_until_ready(in_flight.popleft())
        if state is None:
            raise AnalysisError("no images to compare the networks on: the batches are empty")
        found = _exact(state, order, device) if sampling is None else _sampled(sampling, state, order, device)
        return {pair: tuple(found[pair]) for pair in order}

    return compare


def _sides(pairs: Iterable[Pair]) -> dict[Pair, tuple[str, str]]:
    return {(a, b): (f"{a} of the first network", f"{b} of the second network") for a, b in pairs}


def _exact(state: stage_moments.StageMoments, pairs: list[Pair], device: bool) -> dict[Pair, list[CCA]]:
    return {pair: [one] for pair, one in cca.finish_stages(state, names=_sides(pairs), device=device).items()}


def _sampled(sampling: Sampling, state: draws.Sampled, pairs: list[Pair], device: bool) -> dict[Pair, list[CCA]]:
    seen = int(state.seen)
    if seen != sampling.images:
        raise AnalysisError(f"sampling: images={sampling.images}, but the batches hold {seen} that count: give the number of images compared")
    repeats = (state if device else jax.device_get(state)).repeats()
    found: dict[Pair, list[CCA]] = {pair: [] for pair in pairs}
    for (pair, _), one in zip(repeats, cca.finish_many([of for _, of in repeats], names=_sides(pairs), device=device), strict=True):
        found[pair].append(one[pair])
    return found
