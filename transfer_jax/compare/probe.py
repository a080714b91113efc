"""Compares networks of a study stage by stage, on some of its validation images."""

from __future__ import annotations

import logging
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from transfer_jax import models
from transfer_jax.analysis import layerwise
from transfer_jax.analysis.result import CCA, Mean
from transfer_jax.core import platform
from transfer_jax.core.errors import AnalysisError
from transfer_jax.data.dataset import Dataset
from transfer_jax.data.stored_images import StoredImages, spread
from transfer_jax.settings import Similarity

_BATCH = 32  # images per device: all activations of two networks are held at once


class Probe:
    """Compares two networks, each stage with the stage of the same name.

    Attributes:
      measure: Name of the measure of similarity.
      every: Number of steps between comparisons during training; 0 for none.
      stages: Stages that are compared, in forward order.
      left_out: Stage of which the images give too few positions -> the reason.
      images: Number of images in use.
    """

    def __init__(
        self, dataset: Dataset, module: Any, variables: Any, options: Similarity, mesh: Mesh
    ) -> None:
        """Creates a probe.

        Args:
          dataset: Data of the study, whose validation images are used.
          module: Network of the study.
          variables: Variables of any member, or their shapes.
          options: How stages are compared.
          mesh: The devices.
        """
        self.measure = options.measure
        self.every, self._dataset, self._mesh = options.every, dataset, mesh
        self.images = min(options.images, *(len(part.val) for part in dataset.parts))
        sampling = options.selected().build(self.images)

        def stages(variables: Any, raw: jax.Array) -> Any:
            return module.apply(variables, dataset.images(raw), train=False)[1]

        image = jax.ShapeDtypeStruct((1, *dataset.manifest.shape), "uint8")
        shapes = jax.eval_shape(stages, variables, image)
        names = [name for name in models.table_of(variables["params"]) if name in shapes]
        problems = {name: _too_few(shapes[name].shape, self.images, sampling) for name in names}
        self.left_out = {name: problem for name, problem in problems.items() if problem}
        self.stages = tuple(name for name in names if name not in self.left_out)
        self._compare = layerwise.make_compare(
            stages,
            stages,
            pairs=layerwise.same(self.stages, self.stages),
            measure=options.measure,
            sampling=sampling,
            # On an accelerator, a float64 eigendecomposition on the host would take longer than
            # the forward passes.
            device=not platform.on_cpu(),
            mesh=mesh,
        )
        self._images_of_fold: dict[int, StoredImages] = {}

    def __call__(self, repeat: int, first: Any, second: Any) -> dict[str, tuple[CCA | Mean, ...]]:
        """Compares two networks on images that judge a repeat.

        Networks that cannot be compared (one has diverged to NaN) give nothing, with a warning.

        Args:
          repeat: Number of the repeat.
          first: Variables of one network.
          second: Variables of the other.

        Returns:
          Stage -> its comparison; several per stage where comparisons are sampled.
        """
        if not self.stages:
            return {}
        images = self._images(repeat % len(self._dataset.parts))
        try:
            comparisons = self._compare(first, second, images)
        except AnalysisError as error:
            logging.warning("networks are not compared: %s", error)
            return {}
        return {name: comparisons[name, name] for name in self.stages}

    def _images(self, fold: int) -> StoredImages:
        if fold not in self._images_of_fold:
            positions = spread(self._dataset.parts[fold].val, self.images)
            self._images_of_fold[fold] = StoredImages(
                self._dataset.records, positions, self._mesh, per_device=_BATCH
            )
        return self._images_of_fold[fold]


def _too_few(
    shape: tuple[int, ...], images: int, sampling: layerwise.Sampling | None
) -> str | None:
    """Returns why a stage with activations of `shape` cannot be compared, or None where it can."""
    area, channels = int(np.prod(shape[1:-1])), shape[-1]
    if sampling is not None:
        images = min(images, max(1, round(sampling.positions / area)))
        channels = min(channels, sampling.channels)
    positions = images * area
    if positions > channels:
        return None
    return (
        f"{positions} positions of {channels} channels: a comparison needs more positions "
        "than channels"
    )
