"""Finds a network's tensors in a file: under which prefix, and under which names.

Training programs wrap networks (`module.`, `_orig_mod.`, `model.backbone.`, a Keras layer that is
a network), and a file may hold several. A place counts only if every tensor of the network's body
is there with its shape, and nothing else but what `leftovers` knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from transfer_jax import models
from transfer_jax.weights import fit, leftovers, naming, numbering, spelling

_DEEPEST = 12  # parts of a prefix
# A real file has a few prefixes and a few thousand names, and a hostile one any number of either.
_MOST, MOST_NAMES = 200, 5000
_Tensors = Mapping[str, np.ndarray]


class Target(NamedTuple):
    """The network that a file should hold.

    Attributes:
      name: Its name in `transfer_jax.models`.
      scheme: Naming scheme of the file: "torchvision" or "keras".
      num_outputs: Its outputs, as for `models.create`; None where the file decides.
      options: Further options of `models.create` that change shapes.
    """

    name: str
    scheme: str
    num_outputs: Any = None
    options: Mapping[str, Any] = {}

    @property
    def separator(self) -> str:
        """Text between the parts of a name."""
        return "/" if self.scheme == "keras" else "."

    def places(self, channels: int = 3) -> dict[naming.Path, naming.Place]:
        """Returns where all tensors of the network are, for this many input channels."""
        outputs = self.num_outputs or 1
        shapes = fit.template(self.name, outputs, self.scheme, channels, **self.options)
        return naming.places(self.name, shapes, self.scheme)


class Reading(NamedTuple):
    """One way to read the names of a file as those of a network.

    Attributes:
      place: Where the network is.
      names: Name in the file -> the network's name, of all tensors in that place.
      note: Sentence about the names for the card; "" where there is nothing to say.
      body: The network's names of its tensors, without its heads.
      heads: The network's names of its heads' tensors.
      roots: The outermost modules of its heads.
      present: Number of tensors of the body that are there.
      complete: Whether all of them are there, with their shapes.
    """

    place: leftovers.Place
    names: dict[str, str]
    note: str
    body: frozenset[str]
    heads: frozenset[str]
    roots: frozenset[str]
    present: int
    complete: bool

    @property
    def source(self) -> frozenset[str]:
        """Names in the file of the tensors that the body is read from."""
        return frozenset(there for there, name in self.names.items() if name in self.body)

    def kind(self, name: str, tensors: _Tensors) -> str | None:
        """Returns the kind of a tensor that is not the network's own (see `leftovers.kind_of`)."""
        if name in self.names and fit.root_of(self.names[name]) in self.roots:
            return leftovers.COUNTER if name.endswith("num_batches_tracked") else leftovers.HEAD
        return leftovers.kind_of(name, tensors, self.place)

    def is_own(self, name: str) -> bool:
        """Returns whether a tensor of the file is the network's, its heads' included."""
        return self.names.get(name) in self.body | self.heads


def readings(tensors: _Tensors, target: Target, prefix: str | None = None) -> list[Reading]:
    """Returns the ways to read the names of a file that come near to the network.

    Args:
      tensors: Tensors of the file.
      target: The network.
      prefix: A prefix that is considered however few tensors lie under it.

    Returns:
      Readings, those of the shortest prefix first; the reading of the names as they are is always
      among them.
    """
    least = sum(path[1] not in models.HEADS for path in target.places()) // 2
    candidates = []
    for place, there in _places(tensors, target.separator, least, {"", prefix or ""}):
        inside = {name: name[len(place) :] for name in there}
        spelled = spelling.canonical(inside.values(), target.scheme, target.name)
        in_scheme = {name: spelled[rest] for name, rest in inside.items()}
        for names, last, note in _spellings(in_scheme, target):
            where = leftovers.Place(place, target.separator, last)
            candidates.append(_reading(where, names, note, tensors, target))
    return candidates


def fitting(readings: Iterable[Reading], tensors: _Tensors) -> list[Reading]:
    """Returns the readings under which the file holds the whole network and nothing unknown beside
    it.

    There is at most one per prefix. Tensors under the prefix of another whole network, in the same
    place, belong to that one.
    """
    complete = [reading for reading in readings if reading.complete]
    fits: dict[str, Reading] = {}
    for reading in complete:
        prefix = reading.place.prefix
        others = within(reading, complete)
        unknown = (
            name
            for name in reading.names
            if not reading.is_own(name)
            and not (others and name.startswith(others))
            and reading.kind(name, tensors) is None
        )
        if prefix not in fits and next(unknown, None) is None:
            fits[prefix] = reading
    return list(fits.values())


def within(reading: Reading, readings: Iterable[Reading]) -> tuple[str, ...]:
    """Returns the prefixes of other whole networks that lie in the place of a network."""
    prefix = reading.place.prefix
    others = {
        other.place.prefix
        for other in readings
        if other.complete and other.place.prefix.startswith(prefix) and other.place.prefix != prefix
        if other.source.isdisjoint(reading.source)
    }
    return tuple(others)


def _places(
    names: Iterable[str], separator: str, least: int, always: set[str]
) -> list[tuple[str, list[str]]]:
    """Returns prefixes with the names under them: those in `always`, and those of at least `least`
    names.

    The shortest prefix is first. Of a file with more names than networks have, only `always` is
    considered, since nothing in it will fit.
    """
    names = list(names)
    if len(names) > MOST_NAMES:
        return [(prefix, [n for n in names if n.startswith(prefix)]) for prefix in sorted(always)]
    groups: dict[str, list[str]] = {prefix: [] for prefix in always}
    for name in names:
        parts = name.split(separator, _DEEPEST)
        for prefix in {separator.join((*parts[:i], "")) if i else "" for i in range(len(parts))}:
            groups.setdefault(prefix, []).append(name)
    fullest = sorted(groups, key=lambda prefix: len(groups[prefix]), reverse=True)[:_MOST]
    kept = always | {prefix for prefix in fullest if len(groups[prefix]) >= least}
    return [(prefix, groups[prefix]) for prefix in sorted(kept, key=lambda p: (len(p), p))]


def _spellings(names: dict[str, str], target: Target) -> Iterator[tuple[dict[str, str], int, str]]:
    """Yields the ways to name tensors: as they are, within a single child, by numbers of
    children.
    """
    yield names, -1, ""
    if target.scheme != "torchvision":
        return
    places = target.places()
    roots = {
        fit.root_of(place.name) for path, place in places.items() if path[1] not in models.HEADS
    }
    if len(roots) == 1:  # DenseNet's features, saved by themselves
        (root,) = roots
        yield (
            {there: f"{root}.{name}" for there, name in names.items()},
            -1,
            f"{root}.* without its name",
        )
    for numbered in numbering.readings(names.values(), target.name, places):
        renamed = {there: numbered.names[name] for there, name in names.items()}
        yield renamed, numbered.last, numbered.note


def _reading(
    place: leftovers.Place, names: dict[str, str], note: str, tensors: _Tensors, target: Target
) -> Reading:
    there = {name: original for original, name in names.items()}
    named = {name: tensors[original] for name, original in there.items()}
    _, channels = fit.sizes_in(named, target.name, target.scheme)
    places = target.places(channels)
    expected = [p for path, p in places.items() if path[1] not in models.HEADS]
    heads = [p.name for path, p in places.items() if path[1] in models.HEADS]
    body = frozenset(p.name for p in expected)
    present = sum(name in named for name in body)
    right = all(p.name in named and named[p.name].shape == p.shape_there for p in expected)
    complete = right and len(there) == len(names)  # no two tensors of one name
    roots = frozenset(fit.root_of(name) for name in heads)
    return Reading(place, names, note, body, frozenset(heads), roots, present, complete)
