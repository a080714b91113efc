"""The training step and the prediction, jitted over a mesh: batches split over the devices, variables on all of them."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen as nn
from flax import struct
from jax.sharding import Mesh
from jaxtyping import Array, Float

from transfer_jax.core import mesh as meshes
from transfer_jax.core import rng
from transfer_jax.optim.build import Optimizer
from transfer_jax.train import state
from transfer_jax.train.objective import AUXILIARY, Objective, weighted_mean
from transfer_jax.train.state import Member

TrainStep = Callable[[Member, Array, Array, Array], Member]


class Prediction(struct.PyTreeNode):
    """A batch's scores with what they are judged by, all of it on every device, so that every process has the whole.

    Attributes:
      scores: [b, s].
      targets: [b, t], as they were given.
      mask: [b, t], which of them count.
      loss: sum of the losses of the targets that count, [].
      count: their number, [].
    """

    scores: Array
    targets: Array
    mask: Array
    loss: Array
    count: Array


Predict = Callable[[Any, Array, Array, Array], Prediction]


def make_train_step(
    module: nn.Module, objective: Objective, optimizer: Optimizer, mesh: Mesh, factors: Mapping[str, float] | None = None, first: int = 0
) -> TrainStep:
    """The jitted function (member, images [b, h, w, 3], targets [b, t], weights [b, t]) -> member; the old member's buffers are reused.

    Args:
      module: the network.
      objective: what is minimised.
      optimizer: how.
      mesh: the devices.
      factors: path of a parameter -> factor of its learning rate; those that are not in it are frozen: they have no gradient and no
        optimiser state, and the compiler leaves out what only their gradients need. None trains all of them.
      first: the step in which the schedule begins.
    """

    def step(member: Member, images: Float[Array, "b h w c"], targets: Float[Array, "b t"], weights: Float[Array, "b t"]) -> Member:
        dropout = rng.stream(jax.random.fold_in(member.key, member.step), "dropout")

        trained, frozen = state.split(member.params, factors)

        def loss(trained: Any) -> tuple[Array, tuple[Any, Array]]:
            variables = {"params": state.joined(trained, frozen), "batch_stats": member.batch_stats}
            mutable = ["batch_stats", "auxiliary"]
            (logits, _), changed = module.apply(variables, images, train=True, mutable=mutable, rngs={"dropout": dropout})
            value = weighted_mean(objective.loss(logits, targets), weights)
            for auxiliary in jax.tree.leaves(changed.get("auxiliary", {})):
                value += AUXILIARY * weighted_mean(objective.loss(auxiliary, targets), weights)
            return value, (changed["batch_stats"], logits)

        (value, (batch_stats, logits)), gradients = jax.value_and_grad(loss, has_aux=True)(trained)
        scales = dict.fromkeys(trained, 1.0) if factors is None else factors
        moved, optimizer_state = optimizer.update(gradients, member.optimizer_state, trained, member.step - first, member.hyper, scales)
        accuracy = weighted_mean(objective.correct(logits, targets), (weights != 0).astype(weights.dtype))
        return member.replace(
            step=member.step + 1,
            params=state.joined(moved, frozen),
            batch_stats=batch_stats,
            optimizer_state=optimizer_state,
            metrics=member.metrics.merge(member.metrics.single_from_model_output(loss=value, accuracy=accuracy)),
        )

    whole, split = meshes.replicated(mesh), meshes.batched(mesh)
    return jax.jit(step, donate_argnums=0, in_shardings=(whole, split, split, split), out_shardings=whole)


def make_predict(module: nn.Module, objective: Objective, mesh: Mesh) -> Predict:
    """The jitted function (variables, images [b, h, w, 3], targets [b, t], weights [b, t]) -> Prediction."""

    def predict(variables: Any, images: Array, targets: Array, weights: Array) -> Prediction:
        logits, _ = module.apply(variables, images, train=False)
        mask = weights != 0
        loss = (objective.loss(logits, targets) * mask).sum()
        return Prediction(objective.scores(logits), targets, mask, loss, mask.sum().astype(loss.dtype))

    whole, split = meshes.replicated(mesh), meshes.batched(mesh)
    return jax.jit(predict, in_shardings=(whole, split, split, split), out_shardings=whole)
