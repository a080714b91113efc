"""Compares trained networks stage by stage on stored images: one row per pair of stages."""

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
from transfer_jax.data.stored_images import StoredImages
from transfer_jax.runs import trained
from transfer_jax.runs.trained import Form, Trained


class Row(NamedTuple):
    """Similarity of a pair of stages; of a sampled comparison the means over its draws, and the
    lowest ranks.

    Attributes:
      repeat: Repeat of the members.
      what: Which networks were compared.
      stage_a: Stage of the first network.
      stage_b: Stage of the second network.
      measure: Name of the measure of similarity, see `analysis.measures`.
      mean: The similarity; by CCA and SVCCA the mean of the canonical correlations.
      mean_trimmed: Mean of the first of these, which make up 98 % of their sum; NaN for other
        measures.
      chance: Similarity that independent data would have on average.
      n: Number of positions.
      rank_a: Number of dimensions of the first stage that the measure used, see `result.Mean`.
      rank_b: The same of the second stage.
    """

    repeat: int
    what: str
    stage_a: str
    stage_b: str
    measure: str
    mean: float
    mean_trimmed: float
    chance: float
    n: int
    rank_a: int
    rank_b: int


class StageComparison:
    """Compares networks; a compiled program serves all networks of the same two forms."""

    def __init__(self, measure: str, sampling: Sampling | None, mesh: Mesh) -> None:
        """Creates a comparison.

        Args:
          measure: Name of the measure of similarity.
          sampling: How positions and channels are sampled; None takes all of them.
          mesh: The devices.
        """
        stages = functools.cache(trained.stages)

        @functools.cache
        def make(first: Form, second: Form, pairs: tuple[Pair, ...] | None) -> layerwise.Compare:
            return layerwise.make_compare(
                stages(first),
                stages(second),
                pairs=pairs,
                measure=measure,
                sampling=sampling,
                device=not platform.on_cpu(),  # else float64 on the host
                mesh=mesh,
            )

        self._make, self._measure = make, measure

    def __call__(
        self,
        repeat: int,
        what: str,
        first: Trained,
        second: Trained,
        images: StoredImages,
        *,
        every_pair: bool,
    ) -> list[Row]:
        """Compares two networks.

        Args:
          repeat: Repeat of the networks, for the rows.
          what: Which networks they are, for the rows.
          first: The first network.
          second: The second network.
          images: Images that both see.
          every_pair: Whether every pair of stages is compared, or those of the same name only.

        Returns:
          One row per pair of stages; none where no stages have the same name.

        Raises:
          AnalysisError: Activations hold NaN, or there are too few positions; the message says in
            which comparison.
        """
        names = (models.stage_names(network.network) for network in (first, second))
        pairs = None if every_pair else tuple(layerwise.same(*names))
        if pairs == ():
            return []
        compare = self._make(first.form, second.form, pairs)
        try:
            comparisons = compare(first.variables, second.variables, images)
        except AnalysisError as error:
            raise AnalysisError(f"{what} (repeat {repeat}): {error}") from error
        return [
            Row(repeat, what, stage_a, stage_b, self._measure, *layerwise.mean_of(draws))
            for (stage_a, stage_b), draws in comparisons.items()
        ]


def check_positions(
    first: Trained, second: Trained, image: tuple[int, int, int], images: int
) -> None:
    """Checks, before anything is computed, that an exact comparison of all stages is possible.

    Args:
      first: The first network.
      second: The second network.
      image: Height, width and channels of the images.
      images: Number of images.

    Raises:
      AnalysisError: A pair of stages has too few positions.
    """
    shapes_a, shapes_b = (_shapes(network, image) for network in (first, second))

    def images_needed(pair: Pair) -> int:
        x, y = shapes_a[pair[0]], shapes_b[pair[1]]
        positions = math.prod(stage_moments.common_grid(x, y))
        return max(x.shape[-1], y.shape[-1]) // positions + 1

    a, b = max(((a, b) for a in shapes_a for b in shapes_b), key=images_needed)
    needed = images_needed((a, b))
    if needed > images:
        x, y = shapes_a[a], shapes_b[b]
        rows, columns = stage_moments.common_grid(x, y)
        raise AnalysisError(
            f"{a} of {first.where} ({x.shape[-1]} channels) and {b} of {second.where} "
            f"({y.shape[-1]}) meet on {rows} x {columns} positions: {images} images are too few. "
            f"Give at least {needed}, better ten times as many (--images, --data, --splits), "
            "or --sampling"
        )


def _shapes(network: Trained, image: tuple[int, int, int]) -> Mapping[str, Any]:
    """Returns stage -> shape of its activations of one image."""
    raw = jax.ShapeDtypeStruct((1, *image), "uint8")
    return jax.eval_shape(trained.stages(network.form), network.variables, raw)
