"""Replaces the tensors of a network layer by layer.

A convolution is a module with a `kernel`; every other module with tensors is a batch norm. Heads
are left out. A new tensor may depend on the key, on the path of the tensor, on the old tensor and
on the source's, but not on the order or the number of the modules.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

from transfer_jax import models
from transfer_jax.core import rng
from transfer_jax.core.errors import ConfigError

Path = tuple[str, ...]
# (key of this tensor alone, old tensor, the source's in at least float32) -> new tensor, of any
# float type.
Draw = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def convolutions(
    key: jax.Array, variables: Any, source: Any, draw: Draw, *, same_shape: bool = True
) -> Any:
    """Applies `draw` to every kernel and, where a layout has them, bias of the convolutions.

    Args:
      key: Typed PRNG key; each tensor's is `rng.stream(key, path)`.
      variables: `{"params": ...}` and possibly other collections.
      source: Pretrained variables of the same network; the head may be missing.
      draw: Draws the new tensor, which is cast to the dtype of the old one and laid out like it.
      same_shape: Whether the source's tensors must have the network's shapes.

    Raises:
      ConfigError: The source lacks a tensor, or has it in another shape.
    """
    return _redraw(key, variables, source, "params", draw, is_convolution, same_shape)


def batch_norms(
    key: jax.Array,
    variables: Any,
    source: Any,
    draw: Draw,
    *,
    collection: str = "params",
    same_shape: bool = True,
) -> Any:
    """Applies `draw` to every tensor of the batch norms, as `convolutions` does.

    With `collection="batch_stats"` these are their running statistics, otherwise scales and biases.
    """
    return _redraw(
        key,
        variables,
        source,
        collection,
        draw,
        lambda layer: not is_convolution(layer),
        same_shape,
    )


def is_convolution(layer: Mapping[str, Any]) -> bool:
    """Returns whether a module's tensors are those of a convolution; heads are never passed in."""
    return "kernel" in layer


def like(old: jax.Array, new: jax.Array) -> jax.Array:
    """Returns `new` in the dtype of `old` and, where `old` lies on a mesh, laid out like it.

    While tracing, arrays do not know where they lie: under `jit` give `out_shardings`, such as
    `jax.tree.map(lambda x: x.sharding, variables)`.
    """
    new = jnp.asarray(new, old.dtype)
    traced = isinstance(old, jax.core.Tracer) or isinstance(new, jax.core.Tracer)
    if traced or not isinstance(getattr(old, "sharding", None), NamedSharding):
        return new
    return jax.device_put(new, old.sharding)


def wide(tensor: jax.Array) -> jax.Array:
    """Returns the tensor in float32, or in its own dtype where that is wider.

    Moments of bfloat16 would be inaccurate.
    """
    return jnp.asarray(tensor, jnp.promote_types(tensor.dtype, jnp.float32))


def check_shape(path: str, old: jax.Array, pretrained: jax.Array, advice: str) -> None:
    """Raises ConfigError, ending with `advice`, where the source's tensor has another shape."""
    if old.shape != pretrained.shape:
        raise ConfigError(
            f"{path} has shape {pretrained.shape} in the source and {old.shape} in the network:"
            f" {advice}"
        )


def _redraw(
    key: jax.Array,
    variables: Any,
    source: Any,
    collection: str,
    draw: Draw,
    is_redrawn: Callable[[Mapping[str, Any]], bool],
    same_shape: bool,
) -> Any:
    """Applies `draw` to the tensors of one collection, in the layers that `is_redrawn` picks."""

    def change(tree: Any, path: Path) -> Any:
        if any(isinstance(value, Mapping) for value in tree.values()):
            return {
                name: (
                    tree[name]
                    if not path and name in models.HEADS
                    else change(tree[name], (*path, name))
                )
                for name in tree
            }
        if not is_redrawn(tree):
            return tree
        return {name: redrawn(old, (*path, name)) for name, old in tree.items()}

    def redrawn(old: jax.Array, path: Path) -> jax.Array:
        pretrained = _find(source, collection, path)
        if same_shape:
            check_shape(
                "/".join((collection, *path)),
                old,
                pretrained,
                "it must be the same network with the same widths and channels",
            )
        # Any change to this text would change the values of every initialisation.
        stream = rng.stream(key, "".join(f"[{part!r}]" for part in path))
        return like(old, draw(stream, old, wide(pretrained)))

    return {**variables, collection: change(variables[collection], ())}


def _find(source: Any, collection: str, path: Path) -> jax.Array:
    """Returns the source's tensor at a path; raises ConfigError where there is none."""
    tensor = source[collection]
    for part in path:
        if not isinstance(tensor, Mapping) or part not in tensor:
            raise ConfigError(
                f"the source has no tensor {'/'.join((collection, *path))}: it is another network,"
                " or another layout"
            )
        tensor = tensor[part]
    return tensor
