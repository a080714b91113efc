"""A file's tensors against a network: every one used or ignored by name, every place filled, every shape right; or one error."""

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
from transfer_jax.weights import naming

_IGNORED = re.compile(r"(.*[./])?num_batches_tracked")  # a counter of PyTorch's batch norms that only its momentum=None reads


def template(name: str, num_outputs: Any, layout: str, channels: int = 3, **options: Any) -> Any:
    """The shapes of a network's variables."""
    several = tuple(num_outputs.items()) if isinstance(num_outputs, Mapping) else None
    shapes = _template(name, num_outputs if several is None else several, layout, channels, tuple(sorted(options.items())))
    return jax.tree.map(lambda leaf: leaf, shapes)  # a tree of the caller's own


@functools.lru_cache(maxsize=64)
def _template(name: str, num_outputs: Any, layout: str, channels: int, options: tuple[tuple[str, Any], ...]) -> Any:
    outputs = dict(num_outputs) if isinstance(num_outputs, tuple) else num_outputs
    return models.shapes(models.create(name, outputs, layout, **dict(options)), models.least_side(name), channels)


def scheme_of(names: Mapping[str, Any], path: object) -> str:
    """The naming scheme of a file.

    Raises:
      CheckpointError: it is neither.
    """
    if any(re.search(r"/(kernel|gamma|beta|moving_mean)(:0)?$", name) for name in names):
        return "keras"
    if any(name.endswith((".weight", ".running_mean")) for name in names):
        return "torchvision"
    shown = ", ".join(list(names)[:3])
    raise CheckpointError(f"{path} names its tensors neither as torchvision and timm nor as Keras ({shown}{', ...' if len(names) > 3 else ''})")


def canonical(tensors: Mapping[str, np.ndarray], scheme: str, network: str) -> dict[str, np.ndarray]:
    """The tensors under the names that today's libraries give them; older ones are understood."""
    tensors = {name.removesuffix(":0"): value for name, value in tensors.items()}  # TensorFlow's outputs
    if scheme == "torchvision":
        # torchvision's first DenseNet files: denselayer1.norm.1 for denselayer1.norm1.
        return {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", name): value for name, value in tensors.items()}
    # Keras 2 named DenseNet's first layers conv1/conv and conv1/bn.
    renamed = {re.sub(r"^conv1/(conv|bn)/(?=\w+$)", r"conv1_\1/", name): value for name, value in tensors.items()}
    if naming.family(network) == "inception":
        renamed = _renumbered(renamed)
    dense = {name.rpartition("/")[0] for name, value in renamed.items() if name.endswith("/kernel") and value.ndim == 2}
    if len(dense) == 1 and "predictions" not in dense:
        (head,) = dense  # whatever a head of one's own is called, it is the only dense layer
        renamed = {re.sub(rf"^{re.escape(head)}/", "predictions/", name): value for name, value in renamed.items()}
    return renamed


def _renumbered(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keras' automatic layer numbers counted from 0: they go on from earlier networks of the program that wrote the file."""
    pattern = re.compile(r"(conv2d|batch_normalization)(?:_(\d+))?/(\w+)")
    parts = {name: match for name in tensors if (match := pattern.fullmatch(name))}
    first = {kind: min(int(m[2] or 0) for m in parts.values() if m[1] == kind) for kind in {m[1] for m in parts.values()}}

    def rename(name: str) -> str:
        if name not in parts:
            return name
        kind, number, leaf = parts[name].groups()
        counted = int(number or 0) - first[kind]
        return f"{kind}_{counted}/{leaf}" if counted else f"{kind}/{leaf}"

    return {rename(name): value for name, value in tensors.items()}


def sizes_in(tensors: Mapping[str, np.ndarray], name: str, scheme: str) -> tuple[int | None, int]:
    """What a file decides of the network: outputs of its head (None where it has none) and input channels (3 where that is not known)."""
    shapes = template(name, 1, scheme)
    places = naming.places(name, shapes, scheme)
    head, stem = places["params", models.HEAD, "kernel"], places["params", *models.stem(shapes["params"])]
    outputs, first = tensors.get(head.name), tensors.get(stem.name)
    return (
        None if outputs is None or outputs.ndim != 2 else int(head.to_here(outputs).shape[1]),
        1 if first is not None and first.ndim == 4 and stem.to_here(first).shape[2] == 1 else 3,
    )


def differences(have: Any, want: Any) -> list[str]:
    """What of two trees of variables, or of their shapes, is not alike: one text for every missing, extra and misshapen tensor."""
    found, wanted = ({"/".join(path): tuple(leaf.shape) for path, leaf in flatten_dict(tree).items()} for tree in (have, want))
    listed = [f"missing {k}" for k in wanted.keys() - found.keys()] + [f"extra {k}" for k in found.keys() - wanted.keys()]
    listed += [f"{k} has shape {found[k]}, not {wanted[k]}" for k in found.keys() & wanted.keys() if found[k] != wanted[k]]
    return sorted(listed)


def fit(tensors: Mapping[str, np.ndarray], shapes: Any, name: str, scheme: str, *, head: bool, cast: bool, path: object) -> Any:
    """The network's variables from a file's tensors.

    Args:
      tensors: of the file, by canonical names.
      shapes: of the network's variables.
      name: of the network.
      scheme: of the names.
      head: take the head where the file has one; otherwise it is ignored.
      cast: turn other floating-point types into float32.
      path: names the file in errors.

    Raises:
      CheckpointError: one line with everything that is missing, extra, misshapen, of another type, or not finite.
    """
    places = naming.places(name, shapes, scheme)
    for module in models.HEADS:
        prefixes = {_first_part(place.name) for p, place in places.items() if p[1] == module}
        if head and any(_first_part(there) in prefixes for there in tensors):
            continue
        # A head that is not asked for, whatever it is, or that the file does not have at all, is no fault.
        places = {p: place for p, place in places.items() if p[1] != module}
        tensors = {there: value for there, value in tensors.items() if _first_part(there) not in prefixes}
    wanted = {place.name: place for place in places.values()}
    used = {there: value for there, value in tensors.items() if not _IGNORED.fullmatch(there)}
    shared = used.keys() & wanted.keys()
    problems = {
        "missing": sorted(wanted.keys() - used.keys()),
        "extra": sorted(used.keys() - wanted.keys()),
        "misshapen": [f"{n} {used[n].shape}, not {wanted[n].shape_there}" for n in sorted(shared) if used[n].shape != wanted[n].shape_there],
    }
    if any(problems.values()):
        _fail(path, f"does not fit {name} in {scheme}'s layout", problems)
    types = {"of another type": [f"{n} {used[n].dtype}" for n in sorted(shared) if used[n].dtype != np.float32]}
    floating = all(jnp.issubdtype(used[n].dtype, jnp.floating) for n in shared)
    if any(types.values()) and not (cast and floating):
        advice = "cast=True (convert_weights --cast) turns them into it" if floating else "they cannot be weights"
        _fail(path, f"holds other numbers than float32; {advice}", types)
    values = {p: np.ascontiguousarray(place.to_here(used[place.name].astype(np.float32))) for p, place in places.items()}
    broken = {"not finite": [places[p].name for p, value in values.items() if not np.isfinite(value).all()]}
    if any(broken.values()):
        _fail(path, "holds NaN or infinity", broken)
    return unflatten_dict({p: jnp.asarray(value) for p, value in values.items()})


def _first_part(name: str) -> str:
    return re.split(r"[./]", name)[0]


def _fail(path: object, what: str, problems: Mapping[str, list[str]]) -> None:
    listed = "; ".join(f"{len(entries)} {kind}: {', '.join(entries)}" for kind, entries in problems.items() if entries)
    raise CheckpointError(f"{path} {what}: {listed}")
