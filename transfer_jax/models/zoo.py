"""Every network by its name."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.registry import resolve

if TYPE_CHECKING:
    from flax import linen as nn

_NETWORKS = {
    "resnet18": "transfer_jax.models.resnet:resnet18",
    "resnet34": "transfer_jax.models.resnet:resnet34",
    "resnet50": "transfer_jax.models.resnet:resnet50",
    "cbr_larget": "transfer_jax.models.cbr:cbr_larget",
    "cbr_largew": "transfer_jax.models.cbr:cbr_largew",
    "cbr_small": "transfer_jax.models.cbr:cbr_small",
    "cbr_tiny": "transfer_jax.models.cbr:cbr_tiny",
}


def names() -> tuple[str, ...]:
    """The names that `create` takes."""
    return tuple(_NETWORKS)


def create(name: str, num_outputs: int) -> nn.Module:
    """The network `name` with a linear head of `num_outputs`.

    `module.init(key, images, train=False)` gives `{"params": ..., "batch_stats": ...}`;
    `module.apply(variables, images, train=False)` gives `(logits [b, num_outputs], stages)` with `stages` a dict in forward
    order from a stage's name to its activation [b, h, w, c]. Images are [b, h, w, 3] float32, h and w at least 32.

    Raises:
      ConfigError: no such network, or `num_outputs` is not positive.
    """
    if num_outputs < 1:
        raise ConfigError(f"num_outputs={num_outputs}: a head needs at least one output")
    return resolve("network", name, _NETWORKS)(num_outputs)


def table1_parameters(name: str) -> int:
    """Parameters of a CBR network by the counting rule of the paper's Table 1.

    The rule that gives all four numbers: every convolution kernel but the first, and the kernel of a head of five outputs;
    no biases, no batch norm. The paper does not state it; it was found by arithmetic.

    Source: Raghu et al. 2019, Table 1.
    """
    if not name.startswith("cbr_"):
        raise ConfigError(f"table1_parameters counts the CBR networks, not {name!r}: no rule is known that gives the paper's other counts")
    module = create(name, num_outputs=5)
    widths, kernel = module.widths, module.kernel
    convolutions = sum(kernel * kernel * a * b for a, b in itertools.pairwise(widths))
    return convolutions + 5 * widths[-1]
