"""What the networks cost: parameters, multiply-adds, seconds of a forward pass and of a training step on this machine."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from transfer_jax import models
from transfer_jax.core import mesh as meshes
from transfer_jax.models import layers
from transfer_jax.tools import timing
from transfer_jax.train import objective, step


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
    module = models.create(name, outputs, layout)
    images = jnp.asarray(np.random.default_rng(0).standard_normal((batch, size, size, 3), np.float32))
    variables = jax.jit(lambda key: module.init(key, images[:1], train=False))(jax.random.key(0))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    predict = step.make_predict(module, objective.classify("multiclass"), meshes.create(1))
    forward = timing.median(lambda: predict(variables, images, jnp.zeros((batch, 1)), jnp.ones((batch, 1))), repeats)
    train = timing.median(timing.training_step(module, "multiclass", batch=batch, size=size), repeats)
    return Cost(parameters, multiply_adds(module, variables, size), forward, train)
