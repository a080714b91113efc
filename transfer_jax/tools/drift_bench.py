"""What the live comparison of a network with its first weights costs, beside the training steps between two comparisons."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import models
from transfer_jax.analysis import layerwise
from transfer_jax.tools import timing

_BATCH = 32  # as studies compare


class Cost(NamedTuple):
    """Seconds (medians) of one comparison of one member and of one of its training steps."""

    comparison: float
    step: float

    def share(self, every: int) -> float:
        """Of the training time, where a member is compared every so many steps."""
        return self.comparison / (every * self.step)


def measure(network: str, *, batch: int, size: int, images: int, repeats: int) -> Cost:
    """The cost of an exact comparison of all stages that have enough positions.

    Args:
      network: its name.
      batch: images of a training step.
      size: pixels of both sides; noise of three channels.
      images: that are looked at.
      repeats: runs that are timed.
    """
    module: Any = models.create(network, 1)
    looked = [jax.random.normal(jax.random.key(i), (min(_BATCH, images - i), size, size, 3)) for i in range(0, images, _BATCH)]
    first, last = (jax.jit(lambda key: module.init(key, looked[0][:1], train=False))(jax.random.key(seed)) for seed in (0, 1))

    def stages(variables: Any, images: jax.Array) -> Any:
        return module.apply(variables, images, train=False)[1]

    shapes = jax.eval_shape(stages, first, looked[0][:1])
    names = [name for name in models.stage_names(network) if images * shapes[name].shape[1] * shapes[name].shape[2] > shapes[name].shape[3]]
    compare = layerwise.make_compare(stages, stages, pairs=layerwise.same(names, names), device=jax.default_backend() != "cpu")
    comparison = timing.median(lambda: compare(first, last, [(each, jnp.ones(len(each))) for each in looked]) and None, repeats)
    return Cost(comparison, timing.median(timing.training_step(module, "binary", batch=batch, size=size), repeats))
