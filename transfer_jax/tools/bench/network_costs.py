"""What a network costs: parameters, multiply-adds, the seconds of a forward pass and of a training
step, and those of the live comparison with its first weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from transfer_jax import models
from transfer_jax.analysis import layerwise
from transfer_jax.core import mesh as meshes
from transfer_jax.models import layers
from transfer_jax.objectives.supervised import Supervised
from transfer_jax.tools.bench import timing
from transfer_jax.train import step

_COMPARED = 32  # images per batch of a comparison, as studies take them


class Cost(NamedTuple):
    """Costs of one network.

    Attributes:
      parameters: Number of trainable parameters, with the head (and Inception's auxiliary head).
      multiply_adds: Multiply-adds of one image's forward pass, convolutions and linear layers;
        FLOPs are twice as many.
      forward: Seconds of a batch's forward pass, median.
      train_step: Seconds of a batch's training step with Adam, median.
    """

    parameters: int
    multiply_adds: int
    forward: float
    train_step: float


def multiply_adds(module: nn.Module, variables: Any, size: int) -> int:
    """Returns the multiply-adds of one image of `size` pixels in the convolutions and linear
    layers.
    """
    counted = []

    def count(
        following: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        out = following(*args, **kwargs)
        if context.method_name == "__call__" and isinstance(context.module, layers.Conv):
            kernel = context.module.variables["params"]["kernel"]
            counted.append(out.size // out.shape[-1] * kernel.size)
        return out

    with nn.intercept_methods(count):
        jax.eval_shape(
            lambda v: module.apply(v, jnp.zeros((1, size, size, 3)), train=False), variables
        )
    return sum(counted) + variables["params"][models.HEAD]["kernel"].size


def measure(name: str, layout: str, *, outputs: int, batch: int, size: int, repeats: int) -> Cost:
    """Measures the costs of one network in float32 on one device.

    Args:
      name: Name of the network.
      layout: Its layout.
      outputs: Number of outputs.
      batch: Number of images per batch.
      size: Pixels of both sides.
      repeats: Number of runs measured.
    """
    module = models.create(name, outputs, layout)
    images = jnp.asarray(
        np.random.default_rng(0).standard_normal((batch, size, size, 3), np.float32)
    )
    variables = jax.jit(lambda key: module.init(key, images[:1], train=False))(jax.random.key(0))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    predict = step.compile_predict(
        step.make_predict(module, Supervised(kind="multiclass")), meshes.create(1)
    )
    inputs = {
        "images": images,
        "targets": jnp.zeros((batch, 1)),
        "weights": jnp.ones((batch, 1)),
    }
    forward = timing.median(lambda: predict(variables, {}, inputs), repeats)
    train = timing.median(
        timing.training_step(module, "multiclass", batch=batch, size=size), repeats
    )
    return Cost(parameters, multiply_adds(module, variables, size), forward, train)


class Comparison(NamedTuple):
    """Cost of comparing a member with its first weights.

    Attributes:
      seconds: Seconds of one comparison, median.
      step: Seconds of one of the member's training steps, median.
    """

    seconds: float
    step: float

    def share(self, every: int) -> float:
        """Returns the share of the training time of one comparison per `every` steps."""
        return self.seconds / (every * self.step)


def compare(network: str, *, batch: int, size: int, images: int, repeats: int) -> Comparison:
    """Measures the cost of an exact comparison of all stages that have enough positions.

    Args:
      network: Name of the network.
      batch: Number of images of a training step.
      size: Pixels of both sides; noise of three channels.
      images: Number of images on which the networks are compared.
      repeats: Number of runs measured.
    """
    module: Any = models.create(network, 1)
    image_batches = [
        jax.random.normal(jax.random.key(i), (min(_COMPARED, images - i), size, size, 3))
        for i in range(0, images, _COMPARED)
    ]
    first, last = (
        jax.jit(lambda key: module.init(key, image_batches[0][:1], train=False))(
            jax.random.key(seed)
        )
        for seed in (0, 1)
    )

    def stages(variables: Any, images: jax.Array) -> Any:
        return module.apply(variables, images, train=False)[1]

    shapes = jax.eval_shape(stages, first, image_batches[0][:1])
    names = [
        name
        for name in models.stage_names(network)
        if images * shapes[name].shape[1] * shapes[name].shape[2] > shapes[name].shape[3]
    ]
    comparison = layerwise.make_compare(
        stages, stages, pairs=layerwise.same(names, names), device=jax.default_backend() != "cpu"
    )
    seconds = timing.median(
        lambda: (
            comparison(first, last, [(each, jnp.ones(len(each))) for each in image_batches])
            and None
        ),
        repeats,
    )
    return Comparison(
        seconds,
        timing.median(timing.training_step(module, "binary", batch=batch, size=size), repeats),
    )
