"""Turns the tensors of a file into those of a network by name, and says for the card how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from transfer_jax import models
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import leftovers, locating, messages
from transfer_jax.weights.locating import Reading, Target

_OUTSIDE = "outside"
_OPTION = "(config.source.prefix, convert_weights --prefix)"
_Tensors = Mapping[str, np.ndarray]


class Recognised(NamedTuple):
    """The tensors of a network in a file.

    Attributes:
      tensors: The network's names -> arrays; tensors of unknown kinds keep the file's names.
      notes: Sentences for the card.
      where: The file and the place in it, for messages.
      hint: Appended to the message where the tensors do not fit.
    """

    tensors: dict[str, np.ndarray]
    notes: tuple[str, ...]
    where: str
    hint: str


def recognise(
    tensors: _Tensors, target: Target, *, prefix: str | None, head: bool, path: object
) -> Recognised:
    """Returns the tensors of a network in a file.

    Args:
      tensors: Tensors of the file.
      target: The network.
      prefix: Prefix of the names of the network's tensors; tensors elsewhere are then ignored.
        None: the only prefix under which the whole network lies.
      head: Whether the head is read.
      path: The file, for messages.

    Raises:
      CheckpointError: Several networks fit, there is nothing under `prefix`, or the head is to be
        read and is no linear layer. Whether the tensors fit is checked by `fit.fit`.
    """
    prefix = _checked(prefix, tensors, target, path)
    readings = locating.readings(tensors, target, prefix)
    candidates = _candidates(locating.fitting(readings, tensors), prefix)
    if len(candidates) > 1:
        prefixes = [repr(reading.place.prefix) for reading in candidates]
        raise CheckpointError(
            f"{path} holds {len(candidates)} networks that fit {target.name}, under the prefixes "
            f"{messages.listed(prefixes)}: choose one with prefix={prefixes[-1]} {_OPTION}"
        )
    whole = bool(candidates)
    reading = candidates[0] if whole else _nearest(readings, prefix)
    outside = locating.within(reading, readings)
    kinds = _kinds(reading, tensors, outside, chosen=prefix is not None)
    dense = _dense_head(reading, kinds, target)
    own = {name: there for name, there in reading.names.items() if reading.is_own(name)} | dense
    kinds = {name: kind for name, kind in kinds.items() if name not in dense}
    if whole and head:
        _check_head(kinds, reading, path)
    dropped = () if head else tuple(name for name in own if own[name] not in reading.body)
    unknown = {n: reading.names.get(n, n) for n, kind in kinds.items() if kind is None}
    used = _by_own_names(
        tensors, {n: there for n, there in own.items() if n not in dropped}, unknown
    )
    place = messages.shortened(reading.place.prefix)
    notes = [f"prefix {place} removed"] if place else []
    notes += [reading.note] if reading.note else []
    notes += [f"head {next(iter(dense)).rpartition('/')[0]} read"] if dense and head else []
    notes += _ignored({**kinds, **dict.fromkeys(dropped, leftovers.HEAD)}, reading.place)
    where = f"{path} (prefix {place!r})" if place else str(path)
    hint = _hint(tensors, target, reading, unknown, whole)
    return Recognised(used, tuple(notes), where, hint)


def _by_own_names(
    tensors: _Tensors, own: Mapping[str, str], unknown: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Returns the tensors by the network's names; a second tensor of one name counts as extra."""
    used: dict[str, np.ndarray] = {}
    for name, there in (*own.items(), *unknown.items()):
        used[there if there not in used else f"{name} beside the network's own"] = tensors[name]
    return used


def _candidates(fits: list[Reading], prefix: str | None) -> list[Reading]:
    """Returns the networks to choose from: under `prefix`, or without momentum copies of others."""
    copies = {copy for reading in fits for copy in leftovers.copies_of(reading.place)}
    candidates: dict[frozenset[str], Reading] = {}
    for reading in fits:
        place = reading.place.prefix
        if place == prefix or (prefix is None and place not in copies):
            candidates.setdefault(
                reading.source, reading
            )  # the same tensors by another way are no second network
    return list(candidates.values())


def _checked(prefix: str | None, tensors: _Tensors, target: Target, path: object) -> str | None:
    """Returns a prefix with a separator at its end, which some tensor has."""
    if not prefix:
        return prefix
    prefix = prefix.rstrip(target.separator) + target.separator
    if not any(name.startswith(prefix) for name in tensors):
        roots = dict.fromkeys(name.split(target.separator)[0] for name in tensors)
        raise CheckpointError(
            f"no tensor in {path} has the prefix {prefix!r}: its names begin with"
            f" {messages.listed(list(roots))}"
        )
    return prefix


def _nearest(readings: list[Reading], prefix: str | None) -> Reading:
    """Returns the reading to explain what does not fit: the one that finds most, or the
    plain one.
    """
    if prefix is not None:
        there = [r for r in readings if r.place.prefix == prefix]
        if there:
            return max(there, key=lambda r: r.present)
    best = max(readings, key=lambda r: r.present)
    return best if 2 * best.present > len(best.body) else readings[0]


def _kinds(
    reading: Reading, tensors: _Tensors, outside: tuple[str, ...], *, chosen: bool
) -> dict[str, str | None]:
    """Returns the kind of each tensor that is not the network's, None for an unknown kind.

    Args:
      reading: Where the network is.
      tensors: Tensors of the file.
      outside: Prefixes of other networks in the same place.
      chosen: Whether the user named the place, so that everything elsewhere is ignored.
    """

    def kind(name: str) -> str | None:
        known = reading.kind(name, tensors)
        elsewhere = name not in reading.names or (bool(outside) and name.startswith(outside))
        return _OUTSIDE if chosen and elsewhere and known != leftovers.COUNTER else known

    return {name: kind(name) for name in tensors if not reading.is_own(name)}


def _dense_head(
    reading: Reading, kinds: Mapping[str, str | None], target: Target
) -> dict[str, str]:
    """Returns the names of the only dense layer of a Keras file, which is the head whatever its
    name.
    """
    if target.scheme != "keras" or any(reading.names[n] in reading.heads for n in reading.names):
        return {}
    layers = {name.rpartition("/")[0] for name, kind in kinds.items() if kind == leftovers.HEAD}
    if len(layers) != 1:
        return {}
    head = next(iter(reading.roots))
    named = {
        name: f"{head}/{name.rpartition('/')[2]}"
        for name in kinds
        if name.rpartition("/")[0] in layers
    }
    return {name: own for name, own in named.items() if own in reading.heads}


def _check_head(kinds: Mapping[str, str | None], reading: Reading, path: object) -> None:
    """Raises where the head is to be read and is another one than the network's linear layer."""
    others = sorted(name for name, kind in kinds.items() if kind == leftovers.HEAD)
    if others:
        raise CheckpointError(
            f"the head in {path} is not the network's one linear layer, but "
            f"{messages.modules(others, reading.place.separator)}: read it with head=False "
            "(convert_weights --drop-head), and the initialiser makes the head"
        )


def _hint(
    tensors: _Tensors, target: Target, reading: Reading, unknown: Mapping[str, str], whole: bool
) -> str:
    """Returns what may have been meant where tensors do not fit; "" where they may fit."""
    if (whole and not unknown) or len(tensors) > locating.MOST_NAMES:
        return ""
    others = []
    for name in models.names():
        if name != target.name and target.scheme in models.layouts(name):
            other = Target(name, target.scheme)
            if locating.fitting(locating.readings(tensors, other), tensors):
                others.append(name)
    if others:
        return f"; its tensors are those of {' or '.join(others)}"
    if whole and reading.place.prefix and not any(name in reading.names for name in unknown):
        return (
            f"; prefix={reading.place.prefix!r} {_OPTION} reads what lies there and ignores the"
            " rest"
        )
    return ""


def _ignored(kinds: Mapping[str, str | None], place: leftovers.Place) -> list[str]:
    """Returns what the card says of the tensors that are ignored; counters are no weights."""
    notes = []
    for kind in (leftovers.HEAD, leftovers.COPY, leftovers.QUEUE, leftovers.LOSS, _OUTSIDE):
        names = sorted(name for name, its in kinds.items() if its == kind)
        if not names:
            continue
        modules = messages.modules(names, place.separator)
        if kind == _OUTSIDE:
            plural = "" if len(names) == 1 else "s"
            notes.append(f"{len(names):,} tensor{plural} outside the prefix ignored: {modules}")
            continue
        if kind == leftovers.COPY:
            copies = (
                copy
                for copy in leftovers.copies_of(place)
                if any(n.startswith(copy) for n in names)
            )
            modules = messages.listed([f"{copy}*" for copy in copies])
        notes.append(f"{kind} {modules} ignored")
    return notes
