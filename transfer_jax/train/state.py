"""The state of one member of a study: everything that a step reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct, traverse_util
from jax.sharding import Mesh

from transfer_jax.core import mesh as meshes
from transfer_jax.metrics import averages
from transfer_jax.objectives import Objective
from transfer_jax.optim.optimizer import Hyper, Optimizer

_OBJECTIVE = "objective"


class Member(struct.PyTreeNode):
    """A network in training.

    Whatever differs between members is a leaf, so that one compiled step serves all of them.

    Attributes:
      step: Number of optimiser steps done, int32 [].
      phase_start: Step at which its phase began, from which the learning-rate schedule counts,
        int32 [].
      params: Parameters of the network.
      batch_stats: Running statistics of the batch norms.
      objective_params: Parameters of the objective; {} for most.
      objective_state: State of the objective; {} for most.
      optimizer_state: State of the `optim.Optimizer`.
      key: Typed PRNG key of the member's own randomness, shape [].
      hyper: Hyper-parameters of the optimiser, an `optim.Hyper`.
      averages: What the objective has logged since the last evaluation, see `metrics.averages`.
    """

    # Any: the same tree holds arrays, shapes of arrays (to restore a checkpoint) and shardings.
    step: Any
    phase_start: Any
    params: Any
    batch_stats: Any
    objective_params: Any
    objective_state: Any
    optimizer_state: Any
    key: Any
    hyper: Any
    averages: Any

    @property
    def variables(self) -> dict[str, Any]:
        """The variables that the network's `apply` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def split(
    params: Any, objective_params: Any, factors: Mapping[str, float] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits parameters into those that are trained and those that are frozen.

    Args:
      params: Parameters of the network.
      objective_params: Parameters of the objective, which are always trained.
      factors: Path -> factor of the learning rate of every trained parameter of the network; None
        trains all of them.

    Returns:
      Two mappings from path to tensor; paths of the objective begin with "objective/".
    """
    flat = traverse_util.flatten_dict(params, sep="/")
    trained = {path: value for path, value in flat.items() if factors is None or path in factors}
    frozen = {path: value for path, value in flat.items() if path not in trained}
    own = traverse_util.flatten_dict({_OBJECTIVE: objective_params}, sep="/")
    return trained | own, frozen


def joined(trained: Mapping[str, Any], frozen: Mapping[str, Any]) -> tuple[Any, Any]:
    """Returns the network's and the objective's parameters that `split` took apart."""
    tree = traverse_util.unflatten_dict({**trained, **frozen}, sep="/")
    objective_params = tree.pop(_OBJECTIVE, {})
    return tree, objective_params


def create(
    variables: Any,
    key: jax.Array,
    hyper: Hyper,
    optimizer: Optimizer,
    objective: Objective,
    module: Any,
    mesh: Mesh,
    factors: Mapping[str, float] | None = None,
) -> Member:
    """Returns a member at step 0, on every device of the mesh.

    Args:
      variables: First variables of the network; they are copied.
      key: Typed PRNG key of the member's own randomness.
      hyper: Hyper-parameters of the optimiser.
      optimizer: The optimiser of the first steps.
      objective: What is minimised.
      module: The network.
      mesh: The devices.
      factors: See `split`.
    """
    params = variables["params"]
    objective_params, objective_state = objective.init(key, module, variables)
    member = Member(
        step=jnp.int32(0),
        phase_start=jnp.int32(0),
        params=params,
        batch_stats=variables["batch_stats"],
        objective_params=objective_params,
        objective_state=objective_state,
        optimizer_state=optimizer.init(split(params, objective_params, factors)[0]),
        key=key,
        hyper=hyper,
        averages=averages.empty(objective.logged),
    )
    return on_mesh(member, mesh)


def on_mesh(tree: Any, mesh: Mesh) -> Any:
    """Returns a copy of the tree, whole on every device.

    A copy, keys included: a step reuses the buffers of its input, and members may share theirs (the
    same source, the same hyper-parameters, the same key).
    """
    return jax.tree.map(
        lambda leaf: jax.device_put(jnp.array(leaf, copy=True), meshes.replicated(mesh)), tree
    )
