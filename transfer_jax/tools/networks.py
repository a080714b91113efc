"""What the networks cost: parameters, multiply-adds, seconds of a forward pass and of a training step on this machine."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from transfer_jax import models, optim
from transfer_jax.core import mesh as meshes
from transfer_jax.metrics.training import TrainMetrics
from transfer_jax.models import layers
from transfer_jax.optim import schedules
from transfer_jax.train import objective, state, step


class Cost(NamedTuple):
    """One network's row.

    Attributes:
      parameters: trainable ones, with the head (and Inception's auxiliary head).
      multiply_adds: of one image's forward pass, convolutions and linear layers; FLOPs are twice as many.
      forward: seconds of a batch's forward pass, median.
      train_step: seconds of a batch's training step with Adam, median.
    """

    parameters: int
    multiply_adds: int
    forward: float
    train_step: float


def multiply_adds(module: nn.Module, variables: Any, size: int) -> int:
    """Multiply-adds of one image of `size` pixels in the convolutions and linear layers of a network's forward pass."""
    counted = []

    def count(following: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        out = following(*args, **kwargs)
        if context.method_name == "__call__" and isinstance(context.module, layers.Conv):
            kernel = context.module.variables["params"]["kernel"]
            counted.append(out.size // out.shape[-1] * kernel.size)
        return out

    with nn.intercept_methods(count):
        jax.eval_shape(lambda v: module.apply(v, jnp.zeros((1, size, size, 3)), train=False), variables)
    return sum(counted) + variables["params"][models.HEAD]["kernel"].size


def measure(name: str, layout: str, *, outputs: int, batch: int, size: int, repeats: int) -> Cost:
    """The costs of one network in float32 on one device."""
    module, mesh, rng = models.create(name, outputs, layout), meshes.create(1), np.random.default_rng(0)
    images = jnp.asarray(rng.standard_normal((batch, size, size, 3), np.float32))
    targets, mask = jnp.zeros((batch, 1), jnp.float32), jnp.ones((batch, 1), bool)
    variables = jax.jit(lambda key: module.init(key, images[:1], train=False))(jax.random.key(0))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    macs = multiply_adds(module, variables, size)
    predict = step.make_predict(module, objective.classify("multiclass"), mesh)
    forward = _seconds(lambda: predict(variables, images, targets, mask), repeats)
    optimizer = optim.build("adam", schedule=schedules.build("constant", steps=1))
    train_step = step.make_train_step(module, objective.classify("multiclass"), optimizer, mesh)
    member = [state.create(variables, jax.random.key(0), optim.hyper(1e-3, 0.0), optimizer, TrainMetrics, mesh)]

    def train() -> Any:
        member[0] = train_step(member[0], images, targets, mask)
        return member[0]

    return Cost(parameters, macs, forward, _seconds(train, repeats))


def _seconds(run: Callable[[], Any], repeats: int) -> float:
    jax.block_until_ready(run())  # compiles
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
