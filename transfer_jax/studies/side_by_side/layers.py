"""Trained networks compared layer by layer on images as they are stored: one row for each pair of stages."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from transfer_jax import models
from transfer_jax.analysis import layerwise, stage_moments
from transfer_jax.analysis.layerwise import Pair, Sampling
from transfer_jax.core import platform
from transfer_jax.core.errors import AnalysisError
from transfer_jax.studies import trained
from transfer_jax.studies.shown import Shown
from transfer_jax.studies.trained import Form, Trained


class Row(NamedTuple):
    """What was found for a pair of stages; of a sampled comparison the means over its draws, and the lowest ranks.

    Attributes:
      repeat: of the members.
      what: was compared with what.
      stage_a: of the first network.
      stage_b: of the second.
      mean: of the canonical correlations.
      mean_trimmed: of the first of them, which make up 98 % of their sum.
      chance: the mean that independent data would give.
      n: positions.
      rank_a: independent channels of the first stage.
      rank_b: of the second.
    """

    repeat: int
    what: str
    stage_a: str
    stage_b: str
    mean: float
    mean_trimmed: float
    chance: float
    n: int
    rank_a: int
    rank_b: int


class Layers:
    """Compares networks; what it compiles for two networks serves all of the same forms, whatever their weights."""

    def __init__(self, sampling: Sampling | None, mesh: Mesh) -> None:
        """At every position of every channel where `sampling` is None."""
        stages = functools.cache(trained.stages)

        @functools.cache
        def make(first: Form, second: Form, pairs: tuple[Pair, ...] | None) -> layerwise.Compare:
            device = not platform.on_cpu()  # else the host's float64
            return layerwise.make_compare(stages(first), stages(second), pairs=pairs, sampling=sampling, device=device, mesh=mesh)

        self._make = make

    def __call__(self, repeat: int, what: str, first: Trained, second: Trained, images: Shown, *, every_pair: bool) -> list[Row]:
        """One row for every pair of stages, or for those of the same name (there may be none).

        Raises:
          AnalysisError: NaN, or too few positions; it says in which comparison.
        """
        names = (models.stage_names(network.network) for network in (first, second))
        pairs = None if every_pair else tuple(layerwise.same(*names))
        if pairs == ():
            return []
        try:
            found = self._make(first.form, second.form, pairs)(first.variables, second.variables, images)
        except AnalysisError as error:
            raise AnalysisError(f"{what} (repeat {repeat}): {error}") from error
        return [Row(repeat, what, pair[0], pair[1], *layerwise.mean_of(draws)) for pair, draws in found.items()]


def check_positions(first: Trained, second: Trained, image: tuple[int, int, int], images: int) -> None:
    """Raises AnalysisError where an exact comparison of all pairs of stages has too few positions, before anything is computed.

    Args:
      first: one network.
      second: the other.
      image: height, width and channels of the images.
      images: how many there are.
    """
    ours, theirs = (_shapes(network, image) for network in (first, second))

    def needed(pair: Pair) -> int:
        x, y = ours[pair[0]], theirs[pair[1]]
        return max(x.shape[-1], y.shape[-1]) // math.prod(stage_moments.common_grid(x, y)) + 1

    a, b = max(((a, b) for a in ours for b in theirs), key=needed)
    if needed((a, b)) > images:
        x, y = ours[a], theirs[b]
        rows, columns = stage_moments.common_grid(x, y)
        raise AnalysisError(
            f"{a} of {first.where} ({x.shape[-1]} channels) and {b} of {second.where} ({y.shape[-1]}) meet on {rows} x {columns} positions: "
            f"{images} images are too few. Give at least {needed((a, b))}, better ten times as many (--images, --data, --splits), or --sampling"
        )


def _shapes(network: Trained, image: tuple[int, int, int]) -> Mapping[str, Any]:
    """Stage -> the shape of its activations of one image."""
    return jax.eval_shape(trained.stages(network.form), network.variables, jax.ShapeDtypeStruct((1, *image), "uint8"))
