"""How the benchmarks take time: of any call, and of a training step."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from transfer_jax import optim
from transfer_jax.core import mesh as meshes
from transfer_jax.metrics.training import TrainMetrics
from transfer_jax.optim import schedules
from transfer_jax.train import objective, state, step


def seconds(run: Callable[[], Any], repeats: int, warm_up: int = 1) -> list[float]:
    """Seconds of each of `repeats` calls, until what they return is there; the first `warm_up` calls, which compile, are not counted."""
    found = []
    for _ in range(warm_up + repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        found.append(time.perf_counter() - start)
    return found[warm_up:]


def median(run: Callable[[], Any], repeats: int, warm_up: int = 1) -> float:
    """The median of `seconds`."""
    return statistics.median(seconds(run, repeats, warm_up))


def training_step(module: nn.Module, kind: str, *, batch: int, size: int) -> Callable[[], Any]:
    """A call that takes one training step (float32, Adam, one device) on images of noise.

    Args:
      module: the network.
      kind: of the task.
      batch: images.
      size: pixels of both sides.
    """
    mesh, rng = meshes.create(1), np.random.default_rng(0)
    images = jnp.asarray(rng.standard_normal((batch, size, size, 3), np.float32))
    targets = jnp.asarray(rng.integers(0, 2, (batch, 1)).astype(np.float32))
    weights = jnp.ones((batch, 1))
    optimizer = optim.build("adam", schedule=schedules.build("constant", steps=1))
    train_step = step.make_train_step(module, objective.classify(kind), optimizer, mesh)
    variables = jax.jit(lambda key: module.init(key, images[:1], train=False))(jax.random.key(0))
    member = [state.create(variables, jax.random.key(0), optim.hyper(1e-3, 0.0), optimizer, TrainMetrics, mesh)]

    def run() -> Any:
        member[0] = train_step(member[0], images, targets, weights)
        return member[0]

    return run
