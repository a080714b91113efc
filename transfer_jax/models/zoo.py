"""Every network by its name."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.core.registry import resolve
from transfer_jax.models.stages import stage_names

if TYPE_CHECKING:
    from flax import linen as nn

    from transfer_jax.models.network import Network

_CBR, _RESNET = "transfer_jax.models.cbr:build", "transfer_jax.models.resnet:build"
_NETWORKS = {
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet50_slim"), _RESNET),
    "inception_v3": "transfer_jax.models.inception:build",
    "densenet121": "transfer_jax.models.densenet:build",
    **dict.fromkeys(("cbr_larget", "cbr_largew", "cbr_small", "cbr_tiny"), _CBR),
}
_KERAS = frozenset({"resnet50", "resnet101", "resnet152", "resnet50_slim", "inception_v3", "densenet121"})
_LEAST_SIDE = {"inception_v3": 75}


def names() -> tuple[str, ...]:
    """The names that `create` takes."""
    return tuple(_NETWORKS)


def layouts(name: str) -> tuple[str, ...]:
    """The layouts that the network `name` comes in: "torchvision", and "keras" where keras.applications has it, too."""
    stage_names(name)  # raises for an unknown network
    return ("torchvision", "keras") if name in _KERAS else ("torchvision",)


def least_side(name: str) -> int:
    """The smallest images that the network `name` takes, pixels."""
    return _LEAST_SIDE.get(name, 32)


def create(
    name: str,
    num_outputs: int | Mapping[str, int],
    layout: str = "torchvision",
    *,
    widths: tuple[int, ...] | None = None,
    dropout: float = 0.0,
    hidden: tuple[int, ...] = (),
    momentum: float | None = None,
    epsilon: float | None = None,
    frozen_batch_norm: bool | tuple[str, ...] = False,
) -> Network:
    """The network `name` with a head.

    `module.init(key, images, train=False)` gives `{"params": ..., "batch_stats": ...}`;
    `module.apply(variables, images, train=False)` gives `(logits [b, num_outputs], stages)` with `stages` a dict in forward
    order from a stage's name to its activation [b, h, w, c]. Images are [b, h, w, 1 or 3] float32, h and w at least
    `least_side(name)`.

    Args:
      name: one of `names()`.
      num_outputs: of the head; a mapping from tasks to numbers gives one linear layer a task, and a mapping of logits.
      layout: the library whose weight files fit: "torchvision" or, where `layouts(name)` has it, "keras".
      widths: channels of each block, for the CBR networks and the ResNets (there of the units' inner convolutions).
      dropout: share of the features that are set to zero before the head in training.
      hidden: widths of layers before the outputs: the head is then a projector for self-supervision.
      momentum: of the batch norms, instead of the layout's: share of the old running statistics that is kept at a step.
      epsilon: of the batch norms, instead of the layout's.
      frozen_batch_norm: stages whose batch norms use, and do not move, the running statistics in training; True: all of them.

    Raises:
      ConfigError: no such network or layout, or an option that this network does not take.
    """
    builder = resolve("network", name, _NETWORKS)
    if layout not in layouts(name):
        raise ConfigError(f"{name} has no layout {layout!r}: {nearest(layout, layouts(name))}")
    stages = stage_names(name)
    frozen = {True: stages, False: ()}[frozen_batch_norm] if isinstance(frozen_batch_norm, bool) else frozen_batch_norm
    for stage in frozen:
        if stage not in stages:
            raise ConfigError(f"{name} has no stage {stage!r} to freeze: {nearest(stage, stages)}")
    from transfer_jax.models import heads

    module = builder(name, layout, widths, head=heads.build(num_outputs, dropout, hidden), frozen=tuple(frozen))
    changed = {key: value for key, value in (("momentum", momentum), ("epsilon", epsilon)) if value is not None}
    return module.clone(norm=functools.partial(module.norm, **changed)) if changed else module


def shapes(module: nn.Module, side: int, channels: int = 3) -> Any:
    """The shapes of a network's variables, for images of `side` pixels; nothing is drawn."""
    return jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, side, side, channels)), train=False))


def table1_parameters(name: str) -> int:
    """Parameters of a CBR network by the counting rule of the paper's Table 1.

    The rule that gives all four numbers: every convolution kernel but the first, and the kernel of a head of five outputs;
    no biases, no batch norm. The paper does not state it; it was found by arithmetic.

    Source: Raghu et al. 2019, Table 1.
    """
    if not name.startswith("cbr_"):
        raise ConfigError(f"table1_parameters counts the CBR networks, not {name!r}: no rule is known that gives the paper's other counts")
    module: Any = create(name, num_outputs=5)
    widths, kernel = module.widths, module.kernel
    convolutions = sum(kernel * kernel * a * b for a, b in itertools.pairwise(widths))
    return convolutions + 5 * widths[-1]
