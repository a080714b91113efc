"""Fits the tensors of a file to a network: every one used or ignored by name, every place filled,
every shape right, or one error.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from transfer_jax import models
from transfer_jax.core.errors import CheckpointError
from transfer_jax.weights import messages, naming


def template(name: str, num_outputs: Any, layout: str, channels: int = 3, **options: Any) -> Any:
    """Returns the shapes of a network's variables."""
    several = tuple(num_outputs.items()) if isinstance(num_outputs, Mapping) else None
    shapes = _template(
        name,
        num_outputs if several is None else several,
        layout,
        channels,
        tuple(sorted(options.items())),
    )
    return jax.tree.map(lambda leaf: leaf, shapes)  # a tree of the caller's own


@functools.lru_cache(maxsize=64)
def _template(
    name: str, num_outputs: Any, layout: str, channels: int, options: tuple[tuple[str, Any], ...]
) -> Any:
    outputs = dict(num_outputs) if isinstance(num_outputs, tuple) else num_outputs
    return models.shapes(
        models.create(name, outputs, layout, **dict(options)), models.least_side(name), channels
    )


def sizes_in(tensors: Mapping[str, np.ndarray], name: str, scheme: str) -> tuple[int | None, int]:
    """Returns the sizes of the network that a file decides.

    Returns:
      The number of outputs of its head, or of its auxiliary head where it has no other, None where
      it has neither; and the number of its input channels, 3 where that is unknown.
    """
    shapes = template(name, 1, scheme)
    places = naming.places(name, shapes, scheme)
    heads = [
        place for path, place in places.items() if path[1] in models.HEADS and len(place.shape) == 2
    ]
    heads.sort(key=lambda place: place != places["params", models.HEAD, "kernel"])
    kernels = (
        head.to_here(tensors[head.name]) for head in heads if _has_axes(tensors, head.name, 2)
    )
    outputs = next((int(kernel.shape[1]) for kernel in kernels), None)
    stem = places["params", *models.stem(shapes["params"])]
    grey = _has_axes(tensors, stem.name, 4) and stem.to_here(tensors[stem.name]).shape[2] == 1
    return outputs, 1 if grey else 3


def _has_axes(tensors: Mapping[str, np.ndarray], name: str, axes: int) -> bool:
    return name in tensors and tensors[name].ndim == axes


def differences(have: Any, want: Any) -> list[str]:
    """Returns the differences between two trees of variables or shapes: one text per missing, extra
    and misshapen tensor.
    """
    shapes, expected = (
        {"/".join(path): tuple(leaf.shape) for path, leaf in flatten_dict(tree).items()}
        for tree in (have, want)
    )
    listed = [f"missing {k}" for k in expected.keys() - shapes.keys()] + [
        f"extra {k}" for k in shapes.keys() - expected.keys()
    ]
    listed += [
        f"{k} has shape {shapes[k]}, not {expected[k]}"
        for k in shapes.keys() & expected.keys()
        if shapes[k] != expected[k]
    ]
    return sorted(listed)


def fit(
    tensors: Mapping[str, np.ndarray],
    shapes: Any,
    name: str,
    scheme: str,
    *,
    cast: bool,
    where: str,
    hint: str = "",
) -> Any:
    """Returns the network's variables from the tensors of a file.

    Args:
      tensors: Tensors of the file by the network's names, without those that are ignored. A head
        that is missing entirely is left out of the variables.
      shapes: Shapes of the network's variables.
      name: Name of the network.
      scheme: Naming scheme.
      cast: Whether other floating-point types are turned into float32.
      where: The file, and the place in it, for messages.
      hint: Appended to the message where the tensors do not fit.

    Raises:
      CheckpointError: Tensors are missing, extra, misshapen, of another type, or not finite; the
        message holds their number and the first names.
    """
    places = naming.places(name, shapes, scheme)
    for module in models.HEADS:
        roots = {root_of(place.name) for path, place in places.items() if path[1] == module}
        if not any(root_of(there) in roots for there in tensors):
            places = {path: place for path, place in places.items() if path[1] != module}
    expected = {place.name: place for place in places.values()}
    problems = {
        "missing": sorted(expected.keys() - tensors.keys()),
        "extra": sorted(tensors.keys() - expected.keys()),
        "misshapen": [
            f"{there} {tensors[there].shape}, not {expected[there].shape_there}"
            for there in sorted(tensors.keys() & expected.keys())
            if tensors[there].shape != expected[there].shape_there
        ],
    }
    if any(problems.values()):
        listed = messages.problems(problems)
        raise CheckpointError(f"{where} does not fit {name} in {scheme}'s layout: {listed}{hint}")
    _check_types(tensors, cast, where)
    values = {
        path: np.ascontiguousarray(place.to_here(tensors[place.name].astype(np.float32)))
        for path, place in places.items()
    }
    broken = [places[path].name for path, value in values.items() if not np.isfinite(value).all()]
    if broken:
        raise CheckpointError(
            f"{where} holds NaN or infinity: {messages.problems({'not finite': broken})}"
        )
    return unflatten_dict({path: jnp.asarray(value) for path, value in values.items()})


def _check_types(tensors: Mapping[str, np.ndarray], cast: bool, where: str) -> None:
    """Raises unless all tensors are float32, or are to be cast to it."""
    others = {there: value.dtype for there, value in tensors.items() if value.dtype != np.float32}
    floating = all(jnp.issubdtype(dtype, jnp.floating) for dtype in others.values())
    if not others or (cast and floating):
        return
    kinds = sorted({str(dtype) for dtype in others.values()})
    if not floating:
        wrong = sorted(
            there for there, dtype in others.items() if not jnp.issubdtype(dtype, jnp.floating)
        )
        named = messages.problems(
            {"of another type": [f"{there} {others[there]}" for there in wrong]}
        )
        raise CheckpointError(f"{where} holds numbers that cannot be weights: {named}")
    if len(others) == len(tensors) and len(kinds) == 1:
        what = f"all {len(others):,} tensors are {kinds[0]}"
    else:
        some = messages.listed(sorted(others), 3)
        what = f"{len(others):,} of {len(tensors):,} tensors are {' and '.join(kinds)} ({some})"
    raise CheckpointError(
        f"{where} is not in float32: {what}; cast=True (config.source.cast, convert_weights"
        " --cast) turns them into float32"
    )


def root_of(name: str) -> str:
    """Returns the outermost module of a tensor's name."""
    return re.split(r"[./]", name, maxsplit=1)[0]
