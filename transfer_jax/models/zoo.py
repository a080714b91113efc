"""Every network by its name.

To add a network, write its family's file with its `SPECS` (cbr.py is the shortest), and add a line
to `NETWORKS`. Weight files of other libraries need the family's rules in weights/naming.py, too.
"""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

if TYPE_CHECKING:
    from flax import linen as nn

    from transfer_jax.models.network import Network, NetworkSpec

# Name -> module whose `SPECS` has the network; imported when the network is asked for.
NETWORKS: dict[str, str] = {
    **dict.fromkeys(
        ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet50_slim"),
        "transfer_jax.models.resnet",
    ),
    "inception_v3": "transfer_jax.models.inception",
    "densenet121": "transfer_jax.models.densenet",
    **dict.fromkeys(
        ("cbr_larget", "cbr_largew", "cbr_small", "cbr_tiny"), "transfer_jax.models.cbr"
    ),
}


def names() -> tuple[str, ...]:
    """Returns the names that `create` takes."""
    return tuple(NETWORKS)


def spec(name: str) -> NetworkSpec:
    """Returns the facts of a network: its stages, layouts, smallest image and so on.

    Raises:
      ConfigError: There is no network `name`.
    """
    if name not in NETWORKS:
        raise ConfigError(f"unknown network {name!r}: {nearest(name, NETWORKS)}")
    specs: Mapping[str, NetworkSpec] = importlib.import_module(NETWORKS[name]).SPECS
    return specs[name]


def layouts(name: str) -> tuple[str, ...]:
    """Returns the layouts of a network: "torchvision", and "keras" if keras.applications has it.

    Raises:
      ConfigError: There is no network `name`.
    """
    return tuple(spec(name).layouts)


def least_side(name: str) -> int:
    """Returns the side of the smallest images that a network takes, pixels.

    Raises:
      ConfigError: There is no network `name`.
    """
    return spec(name).least_side


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
    """Returns a network with a head.

    `module.init(key, images, train=False)` gives `{"params": ..., "batch_stats": ...}`;
    `module.apply(variables, images, train=False)` gives `(logits [b, num_outputs], stages)`, where
    `stages` maps the name of a stage to its activation [b, h, w, c], in forward order. Images are
    [b, h, w, 1 or 3] float32, h and w at least `least_side(name)`.

    Args:
      name: One of `names()`.
      num_outputs: Number of outputs of the head; a mapping from tasks to numbers gives one linear
        layer per task, and a mapping of logits.
      layout: Library whose weight files fit, one of `layouts(name)`.
      widths: Number of channels per block, for the CBR networks and the ResNets (there of the
        units' inner convolutions).
      dropout: Share of the features that training sets to zero before the head.
      hidden: Widths of layers before the outputs, which make the head a projector for
        self-supervision.
      momentum: Share of the old running statistics that batch norms keep at a step, instead of the
        layout's.
      epsilon: Epsilon of the batch norms, instead of the layout's.
      frozen_batch_norm: Stages whose batch norms use and keep their running statistics in
        training; True for all of them.

    Raises:
      ConfigError: There is no such network, layout or stage, or an option does not fit the network.
    """
    from transfer_jax.models import heads, network

    facts = spec(name)
    if layout not in facts.layouts:
        raise ConfigError(f"{name} has no layout {layout!r}: {nearest(layout, facts.layouts)}")
    constants = {"momentum": momentum, "epsilon": epsilon}
    changed = {option: value for option, value in constants.items() if value is not None}
    norm = facts.layouts[layout].norm
    return facts.build(
        layout=layout,
        widths=network.choose_widths(name, widths, facts.widths),
        head=heads.build(num_outputs, dropout, hidden),
        # Two networks that were created alike are equal only if they share this object.
        norm=functools.partial(norm, **changed) if changed else norm,
        frozen=_frozen_stages(name, frozen_batch_norm),
    )


def _frozen_stages(name: str, frozen: bool | tuple[str, ...]) -> tuple[str, ...]:
    """Returns the stages whose batch norms are frozen, all of them for True."""
    stages = tuple(spec(name).stages)
    if isinstance(frozen, bool):
        return stages if frozen else ()
    for stage in frozen:
        if stage not in stages:
            raise ConfigError(f"{name} has no stage {stage!r} to freeze: {nearest(stage, stages)}")
    return frozen


def shapes(module: nn.Module, side: int, channels: int = 3) -> Any:
    """Returns the shapes of a network's variables for images of `side` pixels; nothing is drawn."""
    return jax.eval_shape(
        lambda: module.init(jax.random.key(0), jnp.zeros((1, side, side, channels)), train=False)
    )


def table1_parameters(name: str) -> int:
    """Returns the number of parameters of a CBR network as the paper's Table 1 counts them.

    It counts every convolution kernel but the first, and the kernel of a head of five outputs, but
    neither biases nor batch norms. The paper does not state this rule: it was found by arithmetic,
    and gives all four numbers.

    Raises:
      ConfigError: There is no network `name`, or it is no CBR network.

    Source: Raghu et al. 2019, Table 1.
    """
    if spec(name).family != "cbr":
        raise ConfigError(
            f"table1_parameters counts the CBR networks, not {name!r}: no rule is known that gives"
            " the paper's other counts"
        )
    module: Any = create(name, num_outputs=5)
    widths, kernel = module.widths, module.kernel
    convolutions = sum(kernel * kernel * a * b for a, b in itertools.pairwise(widths))
    return convolutions + 5 * widths[-1]
