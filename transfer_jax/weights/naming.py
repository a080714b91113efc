"""Names of tensors in other libraries' files: one table of rules per naming scheme.

A rule turns a module's path in this package (`block1/unit2/conv_shortcut`) into the module's name
there. The leaves follow: kernel, bias, scale, mean and var. Names are generated from this side, so
that loading and exporting read one table in two directions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict

from transfer_jax import models
from transfer_jax.core.errors import ConfigError
from transfer_jax.models import inception_blocks

Rules = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
Path = tuple[str, ...]  # collection, modules, leaf


class Place(NamedTuple):
    """Where a tensor of this package is in a file.

    Attributes:
      name: Its name in the file.
      shape: Its shape here.
      transposed: Whether its axes are in torch's order in the file: OIHW for HWIO, OI for IO.
    """

    name: str
    shape: tuple[int, ...]
    transposed: bool

    @property
    def shape_there(self) -> tuple[int, ...]:
        """The shape in the file."""
        return (
            tuple(self.shape[axis] for axis in _axes_there(self.shape))
            if self.transposed
            else self.shape
        )

    def to_here(self, value: np.ndarray) -> np.ndarray:
        """Returns the file's tensor as this package has it."""
        if not self.transposed:
            return value
        return value.transpose(tuple(int(axis) for axis in np.argsort(_axes_there(self.shape))))

    def to_there(self, value: np.ndarray) -> np.ndarray:
        """Returns this package's tensor as the file has it."""
        return np.ascontiguousarray(
            value.transpose(_axes_there(self.shape)) if self.transposed else value
        )


def _axes_there(shape: tuple[int, ...]) -> tuple[int, ...]:
    return {4: (3, 2, 0, 1), 2: (1, 0)}.get(len(shape), tuple(range(len(shape))))


_SLIM_CONVS = {
    "conv1a": "1a_3x3",
    "conv2a": "2a_3x3",
    "conv2b": "2b_3x3",
    "conv3b": "3b_1x1",
    "conv4a": "4a_3x3",
}


def _dotted(prefix: str) -> Callable[[re.Match[str]], str]:
    return lambda match: prefix + match[1].replace("/", ".")


_TORCHVISION: Mapping[str, Rules] = {
    "cbr": ((r"((?:conv|bn)\d)", r"\1"), (r"head(.*)", _dotted("fc"))),
    "resnet": (
        (r"(conv1|bn1)", r"\1"),
        (
            r"block(\d)/unit(\d+)/conv_shortcut",
            lambda m: f"layer{m[1]}.{int(m[2]) - 1}.downsample.0",
        ),
        (r"block(\d)/unit(\d+)/bn_shortcut", lambda m: f"layer{m[1]}.{int(m[2]) - 1}.downsample.1"),
        (r"block(\d)/unit(\d+)/(\w+)", lambda m: f"layer{m[1]}.{int(m[2]) - 1}.{m[3]}"),
        (r"head(.*)", _dotted("fc")),
    ),
    "densenet": (
        (r"conv1", "features.conv0"),
        (r"bn1", "features.norm0"),
        (r"block(\d)/unit(\d+)/conv(\d)", r"features.denseblock\1.denselayer\2.conv\3"),
        (r"block(\d)/unit(\d+)/bn(\d)", r"features.denseblock\1.denselayer\2.norm\3"),
        (r"transition(\d)/conv", r"features.transition\1.conv"),
        (r"transition(\d)/bn", r"features.transition\1.norm"),
        (r"norm5", "features.norm5"),
        (r"head(.*)", _dotted("classifier")),
    ),
    "inception": (
        (r"(conv\d[ab])/(conv|bn)", lambda m: f"Conv2d_{_SLIM_CONVS[m[1]]}.{m[2]}"),
        (r"mixed(\d[a-e])/(\w+)/(conv|bn)", r"Mixed_\1.\2.\3"),
        (r"aux_head/(conv\d)/(conv|bn)", r"AuxLogits.\1.\2"),
        (r"aux_head", "AuxLogits.fc"),
        (r"head(.*)", _dotted("fc")),
    ),
}


def _slim_number(match: re.Match[str]) -> str:
    number = inception_blocks.paths().index(match[1])
    layer = {"conv": "conv2d", "bn": "batch_normalization"}[match[2]]
    return f"{layer}_{number}" if number else layer


_KERAS: Mapping[str, Rules] = {
    "resnet": (
        (r"(conv|bn)1", r"conv1_\1"),
        (
            r"block(\d)/unit(\d+)/(conv|bn)_shortcut",
            lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_0_{m[3]}",
        ),
        (
            r"block(\d)/unit(\d+)/(conv|bn)(\d)",
            lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_{m[4]}_{m[3]}",
        ),
        (r"head(.*)", _dotted("predictions")),
    ),
    "densenet": (
        (r"(conv|bn)1", r"conv1_\1"),
        # A unit's batch norms come before its convolutions: 0_bn, 1_conv, 1_bn, 2_conv.
        (r"block(\d)/unit(\d+)/conv(\d)", lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_{m[3]}_conv"),
        (
            r"block(\d)/unit(\d+)/bn(\d)",
            lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_{int(m[3]) - 1}_bn",
        ),
        (r"transition(\d)/(conv|bn)", lambda m: f"pool{int(m[1]) + 1}_{m[2]}"),
        (r"norm5", "bn"),
        (r"head(.*)", _dotted("predictions")),
    ),
    # Keras numbers these layers in the order in which the network is built.
    "inception": ((r"(.*)/(conv|bn)", _slim_number), (r"head(.*)", _dotted("predictions"))),
}
_LEAVES: Mapping[str, Mapping[str, str]] = {
    "torchvision": {
        "kernel": "weight",
        "bias": "bias",
        "scale": "weight",
        "mean": "running_mean",
        "var": "running_var",
    },
    "keras": {
        "kernel": "kernel",
        "bias": "bias",
        "scale": "gamma",
        "mean": "moving_mean",
        "var": "moving_variance",
    },
}


def places(name: str, variables: Any, scheme: str) -> dict[Path, Place]:
    """Returns where every tensor of a network is in a file of a naming scheme.

    Args:
      name: Name of the network.
      variables: Its variables, or their shapes.
      scheme: "torchvision" (timm's names are the same) or "keras".

    Raises:
      ConfigError: The scheme has no names for this network's family.
    """
    family = models.spec(name).family
    families = {"torchvision": _TORCHVISION, "keras": _KERAS}[scheme]
    if family not in families:
        raise ConfigError(
            f"no {scheme} names are known for {name}: add rules for the family {family!r} to"
            " weights/naming.py"
        )
    rules = families[family]
    norms = {path[:-1] for path in flatten_dict(variables["batch_stats"])}
    places_by_path = {}
    for collection, tree in variables.items():
        for path, leaf in flatten_dict(tree).items():
            kind = (
                "beta"
                if scheme == "keras" and path[-1] == "bias" and path[:-1] in norms
                else _LEAVES[scheme][path[-1]]
            )
            separator = "." if scheme == "torchvision" else "/"
            there = f"{_module('/'.join(path[:-1]), rules)}{separator}{kind}"
            places_by_path[(collection, *path)] = Place(
                there, tuple(leaf.shape), scheme == "torchvision" and path[-1] == "kernel"
            )
    return places_by_path


def _module(path: str, rules: Rules) -> str:
    for pattern, name in rules:
        match = re.fullmatch(pattern, path)
        if match:
            return name(match) if callable(name) else match.expand(name)
    raise KeyError(f"no rule names the module {path}")
