"""Reads weights from files of torchvision, timm and Keras, exported and Orbax folders, and the hub.

A network may lie under a prefix (`module.`, `model.backbone.`, a Keras layer), may be numbered by
`nn.Sequential`, and may have a projector, a queue or a momentum copy beside it, as long as all of
its tensors lie in one place and everything else is of a known kind. The card's `recognised` says
what was read in this way.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from transfer_jax import models
from transfer_jax.core.errors import CheckpointError, ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.core.normalisation import Normalisation, named
from transfer_jax.weights import (
    card_files,
    exporting,
    fit,
    formats,
    hub,
    locating,
    messages,
    orbax,
    recognising,
    sealing,
    spelling,
)
from transfer_jax.weights import model_card as cards
from transfer_jax.weights.model_card import Card

# In the folders that a hub holds and that `exporting` writes.
_IN_FOLDERS = (exporting.WEIGHTS, f"{exporting.WEIGHTS}.index.json", "model.h5", *hub.FILES)
LAYOUTS = ("auto", "torchvision", "timm", "keras", "orbax")


class Loaded(NamedTuple):
    """A network's variables and their card."""

    variables: Any
    card: Card


class _Place(NamedTuple):
    """Which network of a file the user chooses."""

    state: str | None
    prefix: str | None


def load(path: str | Path, name: str, layout: str = "auto", **options: Any) -> Any:
    """Returns the variables `{"params": ..., "batch_stats": ...}` of a network from a file.

    Arguments and errors are those of `read`.
    """
    return read(path, name, layout, **options).variables


def read(
    path: str | Path,
    name: str,
    layout: str = "auto",
    *,
    num_outputs: Any = None,
    head: bool = True,
    channels: int | None = None,
    cast: bool = False,
    normalisation: str | None = None,
    state: str | None = None,
    prefix: str | None = None,
    **options: Any,
) -> Loaded:
    """Reads weights with their card, strictly: no tensor is left over or missing without a reason.

    Args:
      path: A .safetensors, .pth, .h5 or .weights.h5 file, the index.json of a model in several
        files, a folder of `export` or `save`, or `hf://owner/name[@revision]`.
      name: Name of the network.
      layout: Naming scheme of the file: "auto" (found out), "torchvision", "timm" (the same
        names), "keras", or "orbax".
      num_outputs: Number of outputs of the head, as for `models.create`; by default the file's.
      head: Whether to read the head; False leaves its entries out, whatever its size. A file
        without a head gives variables without one.
      channels: Number of input channels; 1 adapts a stem of three channels to grey images by
        summing its kernel over them, which gives the outputs of the grey image repeated three
        times. By default the file's number.
      cast: Whether float16, bfloat16 and float64 are turned into float32; otherwise they are an
        error.
      normalisation: A name of `core.normalisation.NAMED`, instead of what the file or its library
        says.
      state: The state dict to read, where a .pth file holds several, e.g. "state_dict_ema".
      prefix: Prefix of the names of the network's tensors, where several networks in the file fit
        or unknown tensors lie beside it: everything else is ignored. "" is the network without a
        prefix.
      **options: Options of `models.create` that change shapes (widths, hidden).

    Raises:
      CheckpointError: The file is missing, damaged, dangerous, or does not fit (the message holds
        the first ten names per kind of fault, and how many more there are); or it holds several
        networks and none of them is chosen.
      ConfigError: An unknown network, layout or normalisation.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"unknown layout {layout!r} of weights: {nearest(layout, LAYOUTS)}")
    models.stage_names(name)
    stated = None if normalisation is None else named(normalisation)
    local = _local(path)
    place = _Place(state, prefix)
    if layout == "orbax" or (local / orbax.VARIABLES).is_dir():
        _check_orbax(path, layout, place)
        loaded = _orbax(local, name, head, options)
    else:
        with messages.bounded():
            loaded = _file(path, local, name, layout, num_outputs, head, cast, place, options)
    return _as_asked(loaded, path, num_outputs, channels, stated)


def _check_orbax(path: str | Path, layout: str, place: _Place) -> None:
    """Raises CheckpointError for an option that an Orbax folder does not have."""
    if layout not in ("auto", "orbax"):
        raise CheckpointError(
            f"{path} is an Orbax folder: read it with layout='orbax' or 'auto', not {layout!r}"
        )
    if place != _Place(None, None):
        raise CheckpointError(
            f"{path} is an Orbax folder, with one network in it: leave state and prefix out"
        )


def _as_asked(
    loaded: Loaded,
    path: str | Path,
    num_outputs: Any,
    channels: int | None,
    normalisation: Normalisation | None,
) -> Loaded:
    """Checks the values and the head, and adapts the channels and the card."""
    _check_finite(loaded.variables, path)
    if num_outputs is not None and models.HEAD in loaded.variables["params"]:
        _check_head(loaded.variables, num_outputs, path)
    if channels is not None:
        loaded = loaded._replace(variables=_to_channels(loaded.variables, channels, path))
    if normalisation is None:
        return loaded
    card = dataclasses.replace(
        loaded.card, normalisation=normalisation, normalisation_from="chosen by the user"
    )
    return loaded._replace(card=card)


def _check_finite(variables: Any, path: str | Path) -> None:
    """Raises CheckpointError where a tensor holds NaN or infinity, which would spread silently."""
    flat = traverse_util.flatten_dict(variables, sep="/")
    damaged = [name for name, tensor in flat.items() if not np.isfinite(np.asarray(tensor)).all()]
    if damaged:
        raise CheckpointError(
            f"{path} has NaN or infinite values in {len(damaged)} of {len(flat)} tensors,"
            f" {messages.listed(damaged)}: a training that diverged leaves such weights; take"
            " those of an earlier step, or of another training"
        )


def _orbax(folder: Path, name: str, head: bool, options: dict[str, Any]) -> Loaded:
    variables, layout, card = orbax.load(folder, name, options)
    if not head:
        variables = models.without(variables, models.HEADS)
    return Loaded(variables, card or cards.assumed(name, layout, options))


def _file(
    path: str | Path,
    local: Path,
    name: str,
    layout: str,
    num_outputs: Any,
    head: bool,
    cast: bool,
    place: _Place,
    options: dict[str, Any],
) -> Loaded:
    file = _weight_file(local)
    raw = formats.read(file, place.state)
    sealing.check(file, raw, card_files.beside(file))
    scheme = spelling.scheme_of(raw.tensors, path)
    expected_scheme = {"auto": scheme, "timm": "torchvision"}.get(layout, layout)
    if expected_scheme != scheme:
        raise CheckpointError(
            f"{path} has {scheme}'s names, not {expected_scheme}'s: read it with"
            f" layout={scheme!r} or 'auto'"
        )
    if scheme not in models.layouts(name):
        raise CheckpointError(f"{path} has {scheme}'s names, but {name} has no layout {scheme!r}")
    card = card_files.stated(file, raw.metadata) or card_files.assumed(file, name, scheme, options)
    if card.network == name:
        options = {**card.options, **options}
    target = locating.Target(name, scheme, num_outputs, options)
    recognised = recognising.recognise(
        raw.tensors, target, prefix=place.prefix, head=head, path=path
    )
    outputs, channels = fit.sizes_in(recognised.tensors, name, scheme)
    if head and isinstance(num_outputs, int) and outputs not in (None, num_outputs):
        _fail_head(path, outputs, num_outputs)
    shapes = fit.template(name, num_outputs or outputs or 1, scheme, channels, **options)
    variables = fit.fit(
        recognised.tensors,
        shapes,
        name,
        scheme,
        cast=cast,
        where=recognised.where,
        hint=recognised.hint,
    )
    notes = (*card.recognised, *raw.notes, *recognised.notes)
    return Loaded(variables, dataclasses.replace(card, recognised=notes))


def stated_network(path: str | Path) -> str | None:
    """Returns the network that the card of weights names; None for weights without a card, as other
    programs write them.

    Raises:
      CheckpointError: There are no weights, or they or the card are damaged.
    """
    local = _local(path)
    if (local / orbax.VARIABLES).is_dir():
        card = orbax.card(local)
    else:
        file = _weight_file(local)
        raw = formats.read(file)
        sealing.check(file, raw, card_files.beside(file))
        card = card_files.stated(file, raw.metadata)
    return None if card is None else card.network


def _local(path: str | Path) -> Path:
    return hub.fetch(str(path)) if str(path).startswith(hub.PREFIX) else Path(path)


def _weight_file(local: Path) -> Path:
    """Returns the file of weights in a folder that has one of a usual name, and other paths
    unchanged.
    """
    return next((local / name for name in _IN_FOLDERS if (local / name).is_file()), local)


def _check_head(variables: Any, num_outputs: Any, path: object) -> None:
    kernel = variables["params"][models.HEAD].get("kernel")
    if isinstance(num_outputs, int) and kernel is not None and kernel.shape[-1] != num_outputs:
        _fail_head(path, kernel.shape[-1], num_outputs)


def _fail_head(path: object, outputs: Any, num_outputs: int) -> None:
    raise CheckpointError(
        f"the head in {path} has {outputs} outputs, not {num_outputs}: read it with head=False"
        " (convert_weights --drop-head), and the initialiser makes the head"
    )


def _to_channels(variables: Any, channels: int, path: object) -> Any:
    """Returns the variables with a stem for images of `channels` channels."""
    kernel = models.first_kernel(variables["params"])
    if kernel.shape[2] == channels:
        return variables
    if channels != 1:
        raise CheckpointError(
            f"the first layer in {path} takes {kernel.shape[2]} channels and cannot be made to"
            f" take {channels}"
        )
    return models.with_first_kernel(variables, jnp.sum(kernel, axis=2, keepdims=True))
