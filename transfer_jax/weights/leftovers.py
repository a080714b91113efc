"""Tensors in a file beside those of a network, recognised by name and shape.

A file is read only if every tensor in it is used, or is of a kind that no network needs: the
layers of another head, a contrastive learner's queue, the weights of a loss, or the momentum copy
of the network itself. Anything else is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from transfer_jax.weights.numbering import number_of

HEAD, QUEUE, LOSS, COPY, COUNTER = "head", "queue", "loss", "momentum copy", "counter"
# Words of a module's name: fc_out, cls_head, projector, mlp2.
_HEAD_WORD = re.compile(
    r"fc|heads?|classifier|classification|cls|linear|logits|output|projector|projection|proj|"
    r"predictor|predictions?|mlp|prototypes|dense"
)
_LOSS_WORD = re.compile(r"criterion|loss|losses")
_COUNTER = re.compile(r"(.*[./])?num_batches_tracked")  # PyTorch's; only momentum=None reads it
# A module of the trained network -> its momentum copy, as MoCo, MoCo v3, BYOL and their kin name
# it.
_COPIES = (
    (re.compile(r"(.*)_q"), r"\1_k"),
    (re.compile(r"online_(.*)"), r"target_\1"),
    (re.compile(r"base_(.*)"), r"momentum_\1"),
    (re.compile(r"((?!momentum_).*)"), r"momentum_\1"),
    (re.compile(r"(.*(?<!_momentum))"), r"\1_momentum"),
)
_NORM_WEIGHTS = frozenset(("gamma", "beta", "moving_mean", "moving_variance"))


class Place(NamedTuple):
    """Where a network's tensors are in a file.

    Attributes:
      prefix: Prefix of all their names, with a separator at its end, or "".
      separator: "." or "/".
      last: Last number of a numbered module that belongs to the network, -1 without numbers.
    """

    prefix: str
    separator: str
    last: int = -1


def copies_of(place: Place) -> tuple[str, ...]:
    """Returns the prefixes that a momentum copy of the network in `place` would have."""
    parts = place.prefix.split(place.separator)[:-1]
    copies = []
    for i, part in enumerate(parts):
        for pattern, copy in _COPIES:
            match = pattern.fullmatch(part)
            if match:
                changed = [*parts[:i], match.expand(copy), *parts[i + 1 :], ""]
                copies.append(place.separator.join(changed))
    return tuple(copies)


def kind_of(name: str, tensors: Mapping[str, np.ndarray], place: Place) -> str | None:
    """Returns the kind of a tensor that is not the network's, None for an unknown kind.

    Args:
      name: Its name in the file.
      tensors: All tensors of the file.
      place: Where the network's tensors are.
    """
    if _COUNTER.fullmatch(name):
        return COUNTER
    if name.startswith(copies_of(place)):
        return COPY
    parts = _beyond(name, place)
    words = re.split(r"[_\d]+", parts[0].lower())
    flat = _is_flat(tensors[name].shape)
    if flat and any(map(_LOSS_WORD.fullmatch, words)):
        return LOSS
    if parts[-1].startswith("queue") and tensors[name].ndim <= 3:
        return QUEUE
    if place.separator == "/":
        return HEAD if _is_keras_head(name, tensors) else None
    named = any(map(_HEAD_WORD.fullmatch, words))
    return HEAD if flat and len(parts) > 1 and (named or _is_later(parts[0], place)) else None


def _beyond(name: str, place: Place) -> list[str]:
    """Returns the parts of a name after those that it shares with the network's prefix."""
    parts, shared = name.split(place.separator), place.prefix.split(place.separator)[:-1]
    while shared and len(parts) > 1 and parts[0] == shared[0]:
        parts, shared = parts[1:], shared[1:]
    return parts


def _is_later(part: str, place: Place) -> bool:
    """Returns whether a numbered module follows the network, as in nn.Sequential(network,
    Linear).
    """
    last = place.last
    if last < 0 and place.prefix:
        last = number_of(place.prefix.split(place.separator)[-2])
    return 0 <= last < number_of(part)


def _is_flat(shape: tuple[int, ...]) -> bool:
    """Returns whether a linear layer, a norm, or a convolution of one pixel has such a tensor."""
    return len(shape) <= 2 or (len(shape) == 4 and shape[2:] == (1, 1))


def _is_keras_head(name: str, tensors: Mapping[str, np.ndarray]) -> bool:
    """Returns whether a layer is dense, or a norm with learned scales between dense ones."""
    layer, _, weight = name.rpartition("/")
    kernel = tensors.get(f"{layer}/kernel")
    if kernel is not None:
        return kernel.ndim == 2 and weight in ("kernel", "bias")
    known = re.search(r"(batch|layer)_norm|\bbn|_bn\b", layer) is not None
    return known and weight in _NORM_WEIGHTS and tensors[name].ndim == 1
