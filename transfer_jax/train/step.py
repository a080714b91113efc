"""The training step and the prediction as pure functions, and how they are compiled over a mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen as nn
from flax import struct
from jax.sharding import Mesh
from jaxtyping import Array

from transfer_jax.core import mesh as meshes
from transfer_jax.core import rng
from transfer_jax.metrics import averages
from transfer_jax.objectives.protocol import Apply, Aux, DeviceBatch, Forward, Objective
from transfer_jax.optim.optimizer import Optimizer
from transfer_jax.train import state
from transfer_jax.train.state import Member

Step = Callable[[Member, DeviceBatch], Member]


class Prediction(struct.PyTreeNode):
    """Scores of a batch and what they are judged by, whole on every device and in every process.

    Attributes:
      scores: Log-odds, [b, s].
      targets: Targets as the batch holds them, [b, t].
      mask: Which targets count, bool [b, t].
      loss: Sum of the losses of the targets that count, [].
      count: Number of the targets that count, [].
    """

    scores: Array
    targets: Array
    mask: Array
    loss: Array
    count: Array


Predict = Callable[[Any, Any, DeviceBatch], Prediction]


def make_step(
    module: nn.Module,
    objective: Objective,
    optimizer: Optimizer,
    factors: Mapping[str, float] | None = None,
) -> Step:
    """Returns the pure function (member, batch) -> member that takes one optimiser step.

    Args:
      module: The network.
      objective: What is minimised.
      optimizer: How it is minimised.
      factors: Path of a parameter -> factor of its learning rate. Parameters that are not in it are
        frozen: they have no gradient and no optimiser state, and the compiler leaves out whatever
        only their gradients need. None trains all of them.
    """

    def step(member: Member, batch: DeviceBatch) -> Member:
        key = jax.random.fold_in(member.key, member.step)
        trained, frozen = state.split(member.params, member.objective_params, factors)

        def loss(trained: Any) -> tuple[Array, Aux]:
            params, objective_params = state.joined(trained, frozen)
            apply = bound(module, params, member.batch_stats)
            return objective.loss(apply, objective_params, member.objective_state, batch, key)

        (_, aux), gradients = jax.value_and_grad(loss, has_aux=True)(trained)
        scales = {path: 1.0 if factors is None else factors.get(path, 1.0) for path in trained}
        since = member.step - member.phase_start
        moved, optimizer_state = optimizer.update(
            gradients, member.optimizer_state, trained, since, member.hyper, scales
        )
        params, objective_params = state.joined(moved, frozen)
        return member.replace(
            step=member.step + 1,
            params=params,
            batch_stats=aux.batch_stats,
            objective_params=objective_params,
            objective_state=aux.state,
            optimizer_state=optimizer_state,
            averages=averages.add(member.averages, aux.logged),
        )

    return step


def compile_step(step: Step, mesh: Mesh) -> Step:
    """Jits a step: the batch is split over the devices, the member is whole on each of them.

    The buffers of the member that is passed in are reused (donated).
    """
    whole, by_image = meshes.replicated(mesh), meshes.batched(mesh)
    return jax.jit(step, donate_argnums=0, in_shardings=(whole, by_image), out_shardings=whole)


def make_predict(module: nn.Module, objective: Objective) -> Predict:
    """Returns the pure function (variables, objective's parameters, batch) -> Prediction."""

    def predict(variables: Any, objective_params: Any, batch: DeviceBatch) -> Prediction:
        apply = bound(module, variables["params"], variables["batch_stats"])
        predicted = objective.predict(apply, objective_params, batch)
        mask = batch["weights"] != 0
        loss = (predicted.losses * mask).sum()
        count = mask.sum().astype(loss.dtype)
        return Prediction(predicted.scores, batch["targets"], mask, loss, count)

    return predict


def compile_predict(predict: Predict, mesh: Mesh) -> Predict:
    """Jits a prediction: the batch is split over the devices, everything else is whole."""
    whole, by_image = meshes.replicated(mesh), meshes.batched(mesh)
    return jax.jit(predict, in_shardings=(whole, whole, by_image), out_shardings=whole)


def bound(module: nn.Module, params: Any, batch_stats: Any) -> Apply:
    """Returns the network as an objective sees it, bound to its variables."""
    variables = {"params": params, "batch_stats": batch_stats}

    def apply(images: Array, *, train: bool, key: jax.Array | None = None) -> Forward:
        if not train:
            output: Any = module.apply(variables, images, train=False)
            logits, stages = output
            return Forward(logits, stages, (), batch_stats)
        assert key is not None
        output = module.apply(
            variables,
            images,
            train=True,
            mutable=["batch_stats", "auxiliary"],
            rngs={"dropout": rng.stream(key, "dropout")},
        )
        (logits, stages), changed = output
        auxiliary = tuple(jax.tree.leaves(changed.get("auxiliary", {})))
        return Forward(logits, stages, auxiliary, changed["batch_stats"])

    return apply
