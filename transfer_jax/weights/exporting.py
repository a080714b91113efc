"""Exports weights under the names of torchvision, timm or Keras, with a card and a config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from transfer_jax import models
from transfer_jax.core import files
from transfer_jax.core.errors import CheckpointError, ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.weights import fit, formats, messages, naming, sealing
from transfer_jax.weights import model_card as cards
from transfer_jax.weights.model_card import Card

WEIGHTS = "model.safetensors"
LAYOUTS = ("torchvision", "timm", "keras")


def export(
    variables: Any,
    name: str,
    path: str | Path,
    layout: str = "torchvision",
    *,
    card: Card | None = None,
    **options: Any,
) -> Path:
    """Writes variables as another library names them, with a model card.

    Args:
      variables: `{"params": ..., "batch_stats": ...}`, with or without a head.
      name: Name of the network.
      path: A folder to create, as a hub expects it (model.safetensors, README.md, config.json; for
        Keras model.h5), or a file ending in .safetensors (for Keras .h5), whose card and config
        are written beside it with the suffixes .md and .json.
      layout: "torchvision" (its state dict, loaded with strict=True), "timm" (the same without
        Inception's auxiliary head), or "keras" (the HDF5 layout of Keras 2 and of RadImageNet's
        files, by layer name).
      card: Card of the weights; by default one that follows from the arguments alone.
      **options: Options of `models.create` with which the network was made: num_outputs where the
        head has several tasks, widths, hidden.

    Returns:
      The file with the weights.

    Raises:
      CheckpointError: The variables are not those of this network in this layout.
      ConfigError: An unknown layout, or a file name that does not fit it.
    """
    path = Path(path)
    scheme, suffix = _scheme(name, path, layout)
    if layout == "timm":
        variables = models.without(variables, (models.AUXILIARY_HEAD,))
    outputs = _check(variables, name, scheme, options)
    tensors = _tensors(variables, name, scheme)
    if card is None:
        shapes = {key: value for key, value in options.items() if key != "num_outputs"}
        card = cards.assumed(name, scheme, shapes)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    page = card.to_markdown(outputs, parameters)
    seal = sealing.of_export(tensors, card.to_json())
    config = _config(card, outputs, variables) | {sealing.KEY: seal}
    text = json.dumps(config, indent=2) + "\n"
    if path.suffix:
        _write(path, tensors, card, seal)
        files.write(path.with_suffix(".md"), page)
        files.write(path.with_suffix(".json"), text)
        return path
    if path.exists():
        raise ConfigError(f"{path} exists already: export to another folder, or remove it")
    with files.directory(path) as folder:
        _write(folder / f"model{suffix}", tensors, card, seal)
        files.write(folder / "README.md", page)
        files.write(folder / "config.json", text)
    return path / f"model{suffix}"


def _scheme(name: str, path: Path, layout: str) -> tuple[str, str]:
    """Returns the naming scheme of a layout and the suffix of its files; raises ConfigError."""
    if layout not in LAYOUTS:
        raise ConfigError(f"unknown layout {layout!r} to export to: {nearest(layout, LAYOUTS)}")
    scheme = "torchvision" if layout == "timm" else layout
    suffix = ".h5" if scheme == "keras" else ".safetensors"
    if path.name.endswith(".weights.h5") or path.suffix not in ("", suffix):
        raise ConfigError(
            f"{path}: {layout} weights are exported to a folder or to a file that ends in {suffix}"
            " (not in .weights.h5)"
        )
    if scheme not in models.layouts(name):
        raise ConfigError(
            f"{name} has no layout {scheme!r}: {nearest(scheme, models.layouts(name))}"
        )
    return scheme, suffix


def _check(variables: Any, name: str, scheme: str, options: dict[str, Any]) -> int | None:
    """Raises unless the variables are those of the network; returns the outputs of a
    linear head.
    """
    params = variables["params"]
    kernel = params.get(models.HEAD, {}).get("kernel")
    outputs = None if kernel is None else int(kernel.shape[-1])
    channels = models.first_kernel(params).shape[2]
    shapes = fit.template(
        name, **{"num_outputs": outputs or 1, "layout": scheme, "channels": channels, **options}
    )
    wrong = fit.differences(variables, models.without(shapes, set(models.HEADS) - set(params)))
    if wrong:
        raise CheckpointError(
            f"these variables are not those of {name} in {scheme}'s layout:"
            f" {messages.listed(wrong)}"
        )
    return outputs


def _tensors(variables: Any, name: str, scheme: str) -> dict[str, np.ndarray]:
    host = {path: np.asarray(leaf) for path, leaf in flatten_dict(variables).items()}
    tensors = {
        place.name: place.to_there(host[path])
        for path, place in naming.places(name, variables, scheme).items()
    }
    if scheme == "torchvision":
        # torch counts the batches that each batch norm has seen, and asks for the counter when it
        # loads strictly.
        counters = {
            there.removesuffix("running_mean") + "num_batches_tracked"
            for there in tensors
            if there.endswith("running_mean")
        }
        tensors |= {counter: np.zeros((), np.int64) for counter in counters}
    return tensors


def _write(path: Path, tensors: dict[str, np.ndarray], card: Card, seal: str) -> None:
    if path.suffix == ".h5":
        formats.write_keras(path, tensors)
    else:
        stated = {sealing.CARD: json.dumps(card.to_json()), sealing.KEY: seal}
        formats.write_safetensors(path, tensors, {"format": "pt", **stated})


def _config(card: Card, outputs: int | None, variables: Any) -> dict[str, Any]:
    """Returns timm's config.json with our card in it."""
    n, channels = card.normalisation, models.first_kernel(variables["params"]).shape[2]
    return {
        "architecture": card.network,
        "num_classes": outputs or 0,
        "pretrained_cfg": {
            "num_classes": outputs or 0,
            "mean": list(n.mean),
            "std": list(n.std),
            "input_size": [channels, 224, 224],
        },
        "transfer_jax": card.to_json(),
    }
