"""Names that `nn.Sequential(*network.children())` gives, where children are numbered.

RadImageNet's PyTorch files have such names: `backbone.0.weight` is conv1's,
`backbone.4.0.conv1.weight` layer1's. Children without tensors (activations, pools) take numbers,
too, and how many there are differs between versions of torchvision; so children are recognised by
their order alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from transfer_jax import models
from transfer_jax.weights.naming import Place

_NUMBER = re.compile(r"[0-9]{1,4}")
_Child = tuple[str, ...]


class Numbered(NamedTuple):
    """One way to read numbered names.

    Attributes:
      names: Name in the file -> the network's name.
      last: Last number that belongs to the network.
      note: A sentence for the card.
    """

    names: dict[str, str]
    last: int
    note: str


def readings(
    names: Collection[str], network: str, places: Mapping[Any, Place]
) -> Iterator[Numbered]:
    """Yields the ways to read names as numbered children of a network, those with a head first.

    Args:
      names: The names in the file, without a prefix.
      network: The network's name.
      places: Where its tensors are in a file of torchvision's names (see `naming.places`).
    """
    numbers = sorted({number for name in names if (number := number_of(name.split(".")[0])) >= 0})
    if not numbers:
        return
    for children in _children(network, places):
        if len(children) > len(numbers):
            continue
        named = dict(zip(numbers, children, strict=False))
        renamed = {name: _renamed(name, named) for name in names}
        first, last = numbers[0], numbers[len(children) - 1]
        note = (
            f"children of nn.Sequential named by their order: {first} is {'.'.join(children[0])},"
            f" {last} is {'.'.join(children[-1])}"
        )
        yield Numbered(renamed, last, note)


def number_of(part: str) -> int:
    """Returns the number of a child of nn.Sequential, -1 for a name that is no such number."""
    return int(part) if _NUMBER.fullmatch(part) else -1


def _renamed(name: str, named: Mapping[int, _Child]) -> str:
    first, _, rest = name.partition(".")
    child = named.get(number_of(first))
    return name if child is None else ".".join((*child, rest))


def _children(network: str, places: Mapping[Any, Place]) -> Iterator[tuple[_Child, ...]]:
    """Yields the network's children that have tensors, in forward order, with and without its
    heads.

    Where the body is a single child (DenseNet's `features`), the children of that child follow.
    """
    spec = models.spec(network)
    body = [module for group in spec.stages.values() for module in group]
    with_auxiliary = list(body)
    if spec.auxiliary_stage and any(path[1] == models.AUXILIARY_HEAD for path in places):
        # torchvision's children have the auxiliary head behind the stage that it reads.
        before = spec.stages[spec.auxiliary_stage][-1]
        with_auxiliary.insert(body.index(before) + 1, models.AUXILIARY_HEAD)
    longest_first = ([*with_auxiliary, models.HEAD], with_auxiliary, [*body, models.HEAD], body)
    for modules in longest_first:
        yield _of(modules, places, 1)
    if len(_of(body, places, 1)) == 1:
        yield _of(body, places, 2)


def _of(modules: list[str], places: Mapping[Any, Place], depth: int) -> tuple[_Child, ...]:
    children: dict[_Child, None] = {}
    for module in modules:
        names = (place.name.split(".") for path, place in places.items() if path[1] == module)
        children.update(dict.fromkeys(tuple(name[:depth]) for name in names))
    return tuple(children)
