"""Walks over a network's layers: a convolution is a module with a `kernel`, every other module with tensors is a batch norm.

Heads are left out. What a tensor becomes may depend on a key, on the tensor's own path and on the two tensors, and on nothing else:
not on the order of modules, nor on how many there are.
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
# (key of this tensor alone, own tensor, the source's in float32 at least) -> new tensor, of any float type.
Draw = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def convolutions(key: jax.Array, variables: Any, source: Any, draw: Draw, *, same_shape: bool = True) -> Any:
    """`variables` with `draw` applied to every tensor of the convolutions: kernels, and biases where a layout has them.

    Args:
      key: each tensor's is `rng.stream(key, path)`.
      variables: `{"params": ...}` and possibly other collections.
      source: of the same network; its head may be missing.
      draw: makes a tensor; its result is cast to the own dtype and laid out as the own tensor is.
      same_shape: the source's tensors must be of the network's shapes.

    Raises:
      ConfigError: a tensor is not in the source, or has another shape there.
    """
    return _redraw(key, variables, source, "params", draw, is_convolution, same_shape)


def batch_norms(key: jax.Array, variables: Any, source: Any, draw: Draw, *, collection: str = "params", same_shape: bool = True) -> Any:
    """The same for the batch norms' scales and biases or, with `collection="batch_stats"`, their running statistics."""
    return _redraw(key, variables, source, collection, draw, lambda layer: not is_convolution(layer), same_shape)


def is_convolution(layer: Mapping[str, Any]) -> bool:
    """Whether a module's tensors are a convolution's; heads, which have kernels too, are never asked about."""
    return "kernel" in layer


def like(own: jax.Array, new: jax.Array) -> jax.Array:
    """`new` in the dtype of `own` and, where `own` lies on a mesh, laid out as it is.

    While tracing no array knows where it lies: under `jit` give `out_shardings`, e.g. `jax.tree.map(lambda x: x.sharding, variables)`.
    """
    new = jnp.asarray(new, own.dtype)
    traced = isinstance(own, jax.core.Tracer) or isinstance(new, jax.core.Tracer)
    if traced or not isinstance(getattr(own, "sharding", None), NamedSharding):
        return new
    return jax.device_put(new, own.sharding)


def wide(tensor: jax.Array) -> jax.Array:
    """The tensor in float32, or in its own type where that is wider: moments of bfloat16 would be rough."""
    return jnp.asarray(tensor, jnp.promote_types(tensor.dtype, jnp.float32))


def check_shape(path: str, own: jax.Array, theirs: jax.Array, advice: str) -> None:
    """Raises ConfigError where the source's tensor has another shape; `advice` says what to do then."""
    if own.shape != theirs.shape:
        raise ConfigError(f"{path} has shape {theirs.shape} in the source and {own.shape} in the network: {advice}")


def _redraw(
    key: jax.Array, variables: Any, source: Any, collection: str, draw: Draw, wanted: Callable[[Mapping[str, Any]], bool], same_shape: bool
) -> Any:
    def change(tree: Any, path: Path) -> Any:
        if any(isinstance(value, Mapping) for value in tree.values()):
            return {name: tree[name] if not path and name in models.HEADS else change(tree[name], (*path, name)) for name in tree}
        return {name: one(own, (*path, name)) for name, own in tree.items()} if wanted(tree) else tree

    def one(own: jax.Array, path: Path) -> jax.Array:
        theirs = _find(source, collection, path)
        if same_shape:
            check_shape("/".join((collection, *path)), own, theirs, "it must be the same network with the same widths and channels")
        return like(own, draw(rng.stream(key, "".join(f"[{part!r}]" for part in path)), own, wide(theirs)))

    return {**variables, collection: change(variables[collection], ())}


def _find(source: Any, collection: str, path: Path) -> jax.Array:
    tensor = source[collection]
    for part in path:
        if not isinstance(tensor, Mapping) or part not in tensor:
            raise ConfigError(f"the source has no tensor {'/'.join((collection, *path))}: it is another network, or another layout")
        tensor = tensor[part]
    return tensor
