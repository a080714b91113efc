"""Weights from anywhere: files of torchvision, timm and Keras, exported folders, Orbax folders of our own, the Hugging Face hub."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from transfer_jax import models
from transfer_jax.core.errors import CheckpointError, ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.core.normalisation import Normalisation, named
from transfer_jax.weights import card as cards
from transfer_jax.weights import (
    exporting,
    fit,
    formats,
    hub,
    locating,
    messages,
    naming,
    orbax,
    recognising,
    sealing,
    spelling,
)
from transfer_jax.weights.card import Card

# In the folders that a hub holds and that `exporting` writes.
_IN_FOLDERS = (exporting.WEIGHTS, f"{exporting.WEIGHTS}.index.json", "model.h5", *hub.FILES)
LAYOUTS = ("auto", "torchvision", "timm", "keras", "orbax")


class Loaded(NamedTuple):
    """A network's variables and what is known of them."""

    variables: Any
    card: Card


class _Place(NamedTuple):
    """Which of the networks in a file is read: the user's choices."""

    state: str | None
    prefix: str | None


def load(path: str | Path, name: str, layout: str = "auto", **options: Any) -> Any:
    """Returns the variables `{"params": ..., "batch_stats": ...}` of the network `name` from a file.

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
    """Returns weights with their card, strictly: every tensor used or of a kind that is ignored, every place filled.

    A network may lie under a prefix (`module.`, `model.backbone.`, a Keras layer), may be numbered by `nn.Sequential`, and may
    have a projector, a queue or a momentum copy beside it, as long as all of its tensors lie in one place and everything else
    is of a known kind. The card's `recognised` says what was read so.

    Args:
      path: a .safetensors, .pth, .h5 or .weights.h5 file, the index.json of a model in several files, a folder from `export` or
        `save`, or `hf://owner/name[@revision]`.
      name: of the network.
      layout: whose names the file has: "auto" (found out), "torchvision", "timm" (the same names), "keras", or "orbax".
      num_outputs: of the head, as for `models.create`; the default is the file's own number.
      head: take the head; False leaves its entries out, whatever its size. A file without a head gives variables without one.
      channels: of the input; 1 adapts a stem of three channels to grey images by summing its kernel over them, which gives what
        the network gives for the grey image repeated three times. The default is the file's own number.
      cast: turn float16, bfloat16 and float64 into float32; otherwise they are an error.
      normalisation: a name of `core.normalisation.NAMED`, instead of what the file or its library says.
      state: the state dict to read, where a .pth file holds several, e.g. "state_dict_ema".
      prefix: what the names of the network's tensors begin with, where several networks in the file fit or unknown tensors lie
        beside it: only what lies there is read, and everything else is ignored. "" is the network without a prefix.
      **options: of `models.create` that change shapes (widths, hidden).

    Raises:
      CheckpointError: the file is missing, damaged, dangerous, or does not fit (the message has the first ten names of each kind
        of fault, and how many more there are); or it holds several networks and none of them is chosen.
      ConfigError: an unknown network, layout or normalisation.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"unknown layout {layout!r} of weights: {nearest(layout, LAYOUTS)}")
    models.stage_names(name)
    chosen = None if normalisation is None else named(normalisation)
    local = _local(path)
    if layout == "orbax" or (local / orbax.VARIABLES).is_dir():
        if layout not in ("auto", "orbax"):
            raise CheckpointError(f"{path} is an Orbax folder: read it with layout='orbax' or 'auto', not {layout!r}")
        if state is not None or prefix is not None:
            raise CheckpointError(f"{path} is an Orbax folder, with one network in it: leave state and prefix out")
        loaded = _orbax(local, name, options)
        if not head:
            loaded = loaded._replace(variables=models.without(loaded.variables, models.HEADS))
    else:
        place = _Place(state, prefix)
        with messages.bounded():
            loaded = _file(path, local, name, layout, num_outputs, head, cast, place, options)
    _check_finite(loaded.variables, path)
    if num_outputs is not None and models.HEAD in loaded.variables["params"]:
        _check_head(loaded.variables, num_outputs, path)
    if channels is not None:
        loaded = loaded._replace(variables=_to_channels(loaded.variables, channels, path))
    if chosen is not None:
        loaded = loaded._replace(card=dataclasses.replace(loaded.card, normalisation=chosen, normalisation_from="chosen by the user"))
    return loaded


def _check_finite(variables: Any, path: str | Path) -> None:
    """Raises CheckpointError where a tensor holds NaN or infinity, which would pass on in silence."""
    flat = traverse_util.flatten_dict(variables, sep="/")
    damaged = [name for name, tensor in flat.items() if not np.isfinite(np.asarray(tensor)).all()]
    if damaged:
        raise CheckpointError(
            f"{path} has NaN or infinite values in {len(damaged)} of {len(flat)} tensors, "
            f"{messages.listed(damaged)}: a training that diverged leaves such weights; take those "
            "of an earlier step, or of another training"
        )


def _orbax(folder: Path, name: str, options: dict[str, Any]) -> Loaded:
    variables, layout, card = orbax.load(folder, name, options)
    return Loaded(variables, card or cards.assumed(name, naming.family(name), layout, options))


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
    sealing.check(file, raw, _beside(file))
    scheme = spelling.scheme_of(raw.tensors, path)
    asked = {"auto": scheme, "timm": "torchvision"}.get(layout, layout)
    if asked != scheme:
        raise CheckpointError(f"{path} has {scheme}'s names, not {asked}'s: read it with layout={scheme!r} or 'auto'")
    if scheme not in models.layouts(name):
        raise CheckpointError(f"{path} has {scheme}'s names, but {name} has no layout {scheme!r}")
    card = _card(file, raw.metadata) or _assumed(file, name, scheme, options)
    if card.network == name:
        options = {**card.options, **options}
    target = locating.Target(name, scheme, num_outputs, options)
    found = recognising.recognise(raw.tensors, target, prefix=place.prefix, head=head, path=path)
    outputs, channels = fit.sizes_in(found.tensors, name, scheme)
    if head and isinstance(num_outputs, int) and outputs not in (None, num_outputs):
        _fail_head(path, outputs, num_outputs)
    shapes = fit.template(name, num_outputs or outputs or 1, scheme, channels, **options)
    variables = fit.fit(found.tensors, shapes, name, scheme, cast=cast, where=found.where, hint=found.hint)
    notes = (*card.recognised, *raw.notes, *found.notes)
    return Loaded(variables, dataclasses.replace(card, recognised=notes))


def stated_network(path: str | Path) -> str | None:
    """The network that the card of weights names; None for weights without a card, as other programs write them.

    Raises:
      CheckpointError: there are no weights, or they or the card are damaged.
    """
    local = _local(path)
    if (local / orbax.VARIABLES).is_dir():
        card = orbax.card(local)
    else:
        file = _weight_file(local)
        raw = formats.read(file)
        sealing.check(file, raw, _beside(file))
        card = _card(file, raw.metadata)
    return None if card is None else card.network


def _local(path: str | Path) -> Path:
    return hub.fetch(str(path)) if str(path).startswith(hub.PREFIX) else Path(path)


def _weight_file(local: Path) -> Path:
    """Returns the file of weights in a folder that has one of a usual name, and other paths as they are."""
    return next((local / name for name in _IN_FOLDERS if (local / name).is_file()), local)


def _beside(file: Path) -> Iterator[tuple[Path, Any]]:
    """The configs beside a file (timm's or ours), with what they hold."""
    for path in (file.with_suffix(".json"), file.with_name("config.json")):
        if path.is_file():
            yield path, _json(path.read_text(errors="replace"), path)


def _card(file: Path, metadata: dict[str, str]) -> Card | None:
    """The card that is in a file, or in a config beside it; None where there is none."""
    if "transfer_jax" in metadata:
        return Card.from_json(_json(metadata["transfer_jax"], file), str(file))
    for beside, value in _beside(file):
        if isinstance(value, dict) and "transfer_jax" in value:
            return Card.from_json(value["transfer_jax"], str(beside))
    return None


def _assumed(file: Path, name: str, scheme: str, options: dict[str, Any]) -> Card:
    """The card of a file without one: with the normalisation that a config of timm beside it states, or that its library has."""
    assumed = cards.assumed(name, naming.family(name), scheme, options)
    for beside, value in _beside(file):
        config = value.get("pretrained_cfg", value) if isinstance(value, dict) else {}
        if isinstance(config, dict) and {"mean", "std"} <= config.keys():
            try:
                stated = Normalisation.from_json({"name": "custom", "mean": config["mean"], "std": config["std"]})
            except (ValueError, TypeError) as error:
                raise CheckpointError(f"{beside} has a normalisation that cannot be used: {error}") from error
            return dataclasses.replace(assumed, normalisation=stated, normalisation_from=f"stated in {beside.name}")
    return assumed


def _json(text: str, where: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} holds a card that is not JSON ({error})") from error


def _check_head(variables: Any, num_outputs: Any, path: object) -> None:
    kernel = variables["params"][models.HEAD].get("kernel")
    if isinstance(num_outputs, int) and kernel is not None and kernel.shape[-1] != num_outputs:
        _fail_head(path, kernel.shape[-1], num_outputs)


def _fail_head(path: object, outputs: Any, wanted: int) -> None:
    raise CheckpointError(
        f"the head in {path} has {outputs} outputs, not {wanted}: read it with head=False (convert_weights --drop-head), "
        "and the initialiser makes the head"
    )


def _to_channels(variables: Any, channels: int, path: object) -> Any:
    """The variables with a stem for images of `channels` channels."""
    kernel = models.first_kernel(variables["params"])
    if kernel.shape[2] == channels:
        return variables
    if channels != 1:
        raise CheckpointError(f"the first layer in {path} takes {kernel.shape[2]} channels and cannot be made to take {channels}")
    return models.with_first_kernel(variables, jnp.sum(kernel, axis=2, keepdims=True))
