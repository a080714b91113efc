"""The state of one member of a study: everything that a step reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct, traverse_util
from jax.sharding import Mesh

from transfer_jax.core import mesh as meshes
from transfer_jax.optim.build import Hyper, Optimizer


class Member(struct.PyTreeNode):
    """A network in training. What differs between members is a leaf, so that one compiled step serves all of them.

    Attributes:
      step: optimiser steps done, int32 [].
      params: parameters.
      batch_stats: running statistics of the batch norms.
      optimizer_state: of `optim.Optimizer`.
      key: typed PRNG key of the member's own randomness, shape [].
      hyper: its `optim.Hyper`.
      metrics: a clu metric collection since the last report.
    """

    # Any: the same tree holds arrays, shapes of arrays (to restore a checkpoint) and shardings.
    step: Any
    params: Any
    batch_stats: Any
    optimizer_state: Any
    key: Any
    hyper: Any
    metrics: Any

    @property
    def variables(self) -> dict[str, Any]:
        """What the network's `apply` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def split(params: Any, factors: Mapping[str, float] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters that are trained and those that are frozen, each as path -> tensor; `factors` names the trained ones, None is all."""
    flat = traverse_util.flatten_dict(params, sep="/")
    trained = {path: value for path, value in flat.items() if factors is None or path in factors}
    return trained, {path: value for path, value in flat.items() if path not in trained}


def joined(trained: Mapping[str, Any], frozen: Mapping[str, Any]) -> Any:
    """The tree of parameters that `split` took apart."""
    return traverse_util.unflatten_dict({**trained, **frozen}, sep="/")


def create(
    variables: Any, key: jax.Array, hyper: Hyper, optimizer: Optimizer, metrics: Any, mesh: Mesh, factors: Mapping[str, float] | None = None
) -> Member:
    """A member at step 0, on every device of the mesh; `factors` as for `step.make_train_step`."""
    params = variables["params"]
    optimizer_state = optimizer.init(split(params, factors)[0])
    member = Member(jnp.int32(0), params, variables["batch_stats"], optimizer_state, key, hyper, metrics.empty())
    # A copy: steps are given their input's buffers, and members may begin from the same source.
    return jax.tree.map(lambda leaf: jax.device_put(jnp.array(leaf, copy=True) if not _is_key(leaf) else leaf, meshes.replicated(mesh)), member)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
