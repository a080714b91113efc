"""Spellings of the names of one network's tensors by different libraries and their versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from transfer_jax import models
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import messages


def scheme_of(names: Iterable[str], path: object) -> str:
    """Returns the naming scheme of a file: "torchvision" or "keras".

    Raises:
      CheckpointError: it is neither.
    """
    names = list(names)
    if any(re.search(r"/(kernel|gamma|beta|moving_mean)(:0)?$", name) for name in names):
        return "keras"
    if any(name.endswith((".weight", ".running_mean")) for name in names):
        return "torchvision"
    raise CheckpointError(
        f"{path} names its tensors neither as torchvision and timm nor as Keras"
        f" ({messages.listed(names, 3)})"
    )


def canonical(names: Iterable[str], scheme: str, network: str) -> dict[str, str]:
    """Returns name in the file -> name that today's libraries give the tensor.

    Args:
      names: Names in the file, without a prefix.
      scheme: "torchvision" or "keras".
      network: Name of the network.
    """
    plain = {name: name.removesuffix(":0") for name in names}  # TensorFlow's outputs
    if scheme == "torchvision":
        # torchvision's first DenseNet files: denselayer1.norm.1 for denselayer1.norm1.
        old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.")
        return {name: old.sub(r"\1\2.", value) for name, value in plain.items()}
    # Keras 2 named DenseNet's first layers conv1/conv and conv1/bn.
    first = re.compile(r"^conv1/(conv|bn)/(?=\w+$)")
    renamed = {name: first.sub(r"conv1_\1/", value) for name, value in plain.items()}
    return _renumbered(renamed) if models.spec(network).family == "inception" else renamed


def _renumbered(names: Mapping[str, str]) -> dict[str, str]:
    """Returns names with Keras' automatic layer numbers counted from 0.

    Keras continues the numbers of earlier networks of the program that wrote the file.
    """
    pattern = re.compile(r"(conv2d|batch_normalization)(?:_(\d{1,9}))?/(\w+)")
    parts = {name: match for name, value in names.items() if (match := pattern.fullmatch(value))}
    kinds = {match[1] for match in parts.values()}
    first = {kind: min(int(m[2] or 0) for m in parts.values() if m[1] == kind) for kind in kinds}

    def rename(name: str, value: str) -> str:
        if name not in parts:
            return value
        kind, number, leaf = parts[name].groups()
        counted = int(number or 0) - first[kind]
        return f"{kind}_{counted}/{leaf}" if counted else f"{kind}/{leaf}"

    return {name: rename(name, value) for name, value in names.items()}
