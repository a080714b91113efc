"""Networks of a study compared stage by stage, on some of its validation images."""

from __future__ import annotations

import logging
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from transfer_jax import models
from transfer_jax.analysis import layerwise
from transfer_jax.analysis.result import CCA
from transfer_jax.core import platform
from transfer_jax.core.errors import AnalysisError
from transfer_jax.settings import Similarity
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.shown import Shown, spread

_BATCH = 32  # per device: all activations of two networks are there at once


class Probe:
    """Compares two networks, stages of the same name with each other.

    Attributes:
      every: steps between comparisons while training; 0 for none.
      stages: that are compared, from the first to the last.
      left_out: stages of which the images give too few positions, each with the reason.
      images: number of images that are looked at.
    """

    def __init__(self, opened: Opened, module: Any, variables: Any, wanted: Similarity, mesh: Mesh) -> None:
        """A probe of the networks `module` of a study on `opened` data; `variables` are those of one, or their shapes."""
        self.every, self._opened, self._mesh = wanted.every, opened, mesh
        self.images = min(wanted.images, *(len(part.val) for part in opened.parts))
        sampling = None
        if wanted.kind == "sampled":
            given = {name: getattr(wanted, name) for name in ("positions", "channels", "repeats")}
            sampling = layerwise.Sampling(self.images, **{name: value for name, value in given.items() if value is not None})

        def stages(variables: Any, raw: jax.Array) -> Any:
            return module.apply(variables, opened.images(raw), train=False)[1]

        shapes = jax.eval_shape(stages, variables, jax.ShapeDtypeStruct((1, *opened.manifest.shape), "uint8"))
        every = [name for name in models.table_of(variables["params"]) if name in shapes]
        self.left_out = {name: why for name in every if (why := _too_few(shapes[name].shape, self.images, sampling))}
        self.stages = tuple(name for name in every if name not in self.left_out)
        # A float64 eigendecomposition on the host would cost an accelerator more time than the forward passes.
        self._compare = layerwise.make_compare(
            stages, stages, pairs=layerwise.same(self.stages, self.stages), sampling=sampling, device=not platform.on_cpu(), mesh=mesh
        )
        self._kept: dict[int, Shown] = {}

    def __call__(self, repeat: int, first: Any, second: Any) -> dict[str, tuple[CCA, ...]]:
        """Stage -> what is found between two networks' variables, on images that judge the repeat; a sampled comparison has several.

        Networks that cannot be compared (one has diverged to NaN) give nothing, with a warning.
        """
        if not self.stages:
            return {}
        try:
            found = self._compare(first, second, self._shown(repeat % len(self._opened.parts)))
        except AnalysisError as error:
            logging.warning("networks are not compared: %s", error)
            return {}
        return {name: found[name, name] for name in self.stages}

    def _shown(self, fold: int) -> Shown:
        if fold not in self._kept:
            chosen = spread(self._opened.parts[fold].val, self.images)
            self._kept[fold] = Shown(self._opened.records, chosen, self._mesh, per_device=_BATCH)
        return self._kept[fold]


def _too_few(shape: tuple[int, ...], images: int, sampling: layerwise.Sampling | None) -> str | None:
    """Why a stage of activations `shape` cannot be compared; None where it can."""
    area, channels = int(np.prod(shape[1:-1])), shape[-1]
    if sampling is not None:
        images = min(images, max(1, round(sampling.positions / area)))
        channels = min(channels, sampling.channels)
    positions = images * area
    return f"{positions} positions of {channels} channels: CCA needs more positions than channels" if positions <= channels else None
