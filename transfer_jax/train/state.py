"""The state of one member of a study: everything that a step reads and writes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
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


def create(variables: Any, key: jax.Array, hyper: Hyper, optimizer: Optimizer, metrics: Any, mesh: Mesh) -> Member:
    """A member at step 0, on every device of the mesh."""
    params = variables["params"]
    member = Member(jnp.int32(0), params, variables["batch_stats"], optimizer.init(params), key, hyper, metrics.empty())
    # A copy: steps are given their input's buffers, and members may begin from the same source.
    return jax.tree.map(lambda leaf: jax.device_put(jnp.array(leaf, copy=True) if not _is_key(leaf) else leaf, meshes.replicated(mesh)), member)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
