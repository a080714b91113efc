"""One training of one or more members on one data set: of a source, or of a study's arms."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from transfer_jax import optim
from transfer_jax.core.errors import Interrupted
from transfer_jax.metrics.training import TrainMetrics
from transfer_jax.optim import schedules
from transfer_jax.settings import Recipe
from transfer_jax.studies.assessment import Assessment
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.feed import Feed
from transfer_jax.train import loop, objective, state, step
from transfer_jax.train.checkpoint import Checkpoints
from transfer_jax.train.interrupt import StopRequest
from transfer_jax.train.progress import Progress

_EVAL_BATCH = 128


@dataclasses.dataclass(frozen=True)
class Plan:
    """One member before its training.

    Attributes:
      name: of the member.
      repeat: members of one repeat see the same batches.
      variables: where it begins.
      key: its own randomness.
      learning_rate: its own.
      weight_decay: its own.
      facts: what it is, for TensorBoard's table.
    """

    name: str
    repeat: int
    variables: Any
    key: jax.Array
    learning_rate: float
    weight_decay: float
    facts: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a training gave.

    Attributes:
      variables: member -> trained variables.
      history: one entry per member and evaluation: member, step, auc, loss, and the training's averages since the last one.
    """

    variables: dict[str, Any]
    history: list[dict[str, Any]]


def train(label: str, folder: Path, module: Any, opened: Opened, recipe: Recipe, plans: list[Plan], *, seed: int, mesh: Mesh) -> Outcome:
    """Trains all members, or goes on where an earlier run in `folder` stopped.

    Args:
      label: what this is, for the progress.
      folder: gets `checkpoints` and `tensorboard`.
      module: the network.
      opened: the data.
      recipe: how.
      plans: the members.
      seed: of data order and augmentation.
      mesh: the devices.

    Raises:
      Interrupted: the user asked to stop; everything is saved.
      CheckpointError: there are checkpoints and none can be read.
    """
    goal = objective.classify(opened.task.kind, opened.task.widths)
    optimizer = optimizer_of(recipe)
    members = {
        plan.name: state.create(plan.variables, plan.key, optim.hyper(plan.learning_rate, plan.weight_decay), optimizer, TrainMetrics, mesh)
        for plan in plans
    }
    by_repeat = {repeat: tuple(p.name for p in plans if p.repeat == repeat) for repeat in sorted({p.repeat for p in plans})}
    feed = Feed(opened, mesh, wanted=recipe.steps * recipe.batch_size * len(by_repeat))
    groups = feed.groups(by_repeat, batch_size=recipe.batch_size, seed=seed)
    with contextlib.ExitStack() as stack:
        checkpoints = stack.enter_context(Checkpoints(folder / "checkpoints"))
        first, history = 0, []
        restored = checkpoints.restore(members)
        if restored is not None:
            first, members, history = restored.step, restored.members, restored.extra["history"]
            for group, position in zip(groups, restored.extra["positions"], strict=True):
                group.stream.set_state(position)
        if first == recipe.steps:
            return Outcome(loop.variables(members), history)
        progress = stack.enter_context(Progress(label, first, recipe.steps, recipe.batch_size * len(plans)))
        validations = feed.validations(by_repeat, batch_size=_EVAL_BATCH * mesh.size)
        predict = step.make_predict(module, goal, mesh)
        assess = stack.enter_context(Assessment(folder, members, validations, predict, opened.task, progress, mesh))
        assess.history += history
        if restored is None:
            for plan in plans:
                assess.introduce(plan.name, plan.facts, plan.variables["params"])
            assess(0, members)

        def save(done: int, members: dict[str, state.Member]) -> None:
            checkpoints.save(done, members, {"history": assess.history, "positions": [group.stream.get_state() for group in groups]})

        hooks = [
            loop.every(recipe.eval_every, assess, last=recipe.steps),
            loop.every(recipe.checkpoint_every, save, last=recipe.steps),
            lambda done, members: progress.update(done),
        ]
        train_step = step.make_train_step(module, goal, optimizer, mesh)
        stop = stack.enter_context(StopRequest())
        try:
            loop.run(members, groups, train_step, first=first, last=recipe.steps, hooks=hooks, stop=stop)
        except Interrupted as interrupted:
            save(interrupted.done, members)
            raise
    return Outcome(loop.variables(members), assess.history)


def optimizer_of(recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimiser and schedule.

    Raises:
      ConfigError: an unknown name, or a warm-up as long as the training.
    """
    chosen = {name: getattr(recipe, name) for name in ("b1", "b2", "epsilon", "momentum")}
    schedule = schedules.build(recipe.schedule, recipe.steps, recipe.warmup)
    return optim.build(recipe.optimizer, **{k: v for k, v in chosen.items() if v is not None}, schedule=schedule)
