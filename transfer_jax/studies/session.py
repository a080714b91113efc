"""One training of one or more members on one data set: of a source, or of a study's arms."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from transfer_jax.core.errors import Interrupted
from transfer_jax.metrics.training import TrainMetrics
from transfer_jax.settings import Recipe
from transfer_jax.studies import programs
from transfer_jax.studies.assessment import Assessment
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.feed import Feed
from transfer_jax.studies.inside.drift import Drift
from transfer_jax.studies.inside.probe import Probe
from transfer_jax.studies.plan import Plan
from transfer_jax.studies.programs import Network
from transfer_jax.train import early_stop, loop, objective, state, step
from transfer_jax.train.checkpoint import Checkpoints, Restored
from transfer_jax.train.interrupt import StopRequest
from transfer_jax.train.progress import Progress
from transfer_jax.train.tensorboard import Writer

_EVAL_BATCH = 128


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a training gave.

    Attributes:
      variables: member -> its last variables.
      best: member -> its variables at the evaluation with the lowest validation loss.
      history: One entry per member and evaluation: member, step, auc, loss, diverged, and the
        training's averages since the last one.
    """

    variables: dict[str, Any]
    best: dict[str, Any]
    history: list[dict[str, Any]]


def train(
    label: str,
    folder: Path,
    network: Network,
    opened: Opened,
    recipe: Recipe,
    plans: list[Plan],
    *,
    seed: int,
    mesh: Mesh,
    probe: Probe | None = None,
) -> Outcome:
    """Trains all members, or goes on where an earlier run in `folder` stopped.

    Args:
      label: what this is, for the progress.
      folder: gets `checkpoints` and `tensorboard`.
      network: makes the network.
      opened: the data.
      recipe: how.
      plans: the members.
      seed: of data order and augmentation.
      mesh: the devices.
      probe: looks inside members while they train.

    Raises:
      Interrupted: the user asked to stop; everything is saved.
      CheckpointError: there are checkpoints and none can be read.
    """
    goal = objective.classify(opened.task.kind, opened.task.widths)
    todo = programs.make(recipe, {plan.name: plan.course for plan in plans}, network, plans[0].variables["params"], goal, mesh)
    members = {plan.name: todo[plan.name].begin(plan.variables, plan.key, TrainMetrics) for plan in plans}
    with contextlib.ExitStack() as stack:
        checkpoints = stack.enter_context(Checkpoints(folder / "checkpoints"))
        restored = checkpoints.restore(lambda done: {name: todo[name].like(member, done) for name, member in members.items()})
        if restored is not None and _finished(recipe, restored):
            return Outcome(loop.variables(restored.members), jax.tree.map(np.asarray, restored.best), restored.extra["history"])
        by_repeat = {repeat: tuple(p.name for p in plans if p.repeat == repeat) for repeat in sorted({p.repeat for p in plans})}
        feed = Feed(opened, mesh, wanted=recipe.steps * recipe.batch_size * len(by_repeat))
        groups = feed.groups(by_repeat, batch_size=recipe.batch_size, seed=seed)
        validations = feed.validations(by_repeat, batch_size=_EVAL_BATCH * mesh.size)
        boards = {name: stack.enter_context(Writer(folder / "tensorboard" / name)) for name in members} if jax.process_index() == 0 else {}
        first = restored.step if restored is not None else 0
        progress = stack.enter_context(Progress(label, first, recipe.steps, recipe.batch_size * len(plans)))
        assess = Assessment(boards, validations, step.make_predict(network(()), goal, mesh), opened.task, recipe, progress, mesh)
        if restored is None:
            for plan in plans:
                assess.introduce(plan.name, plan.facts, plan.variables["params"])
            assess(0, members)
        else:
            members = restored.members
            assess.resume(restored.extra["history"], restored.best)
            for group, position in zip(groups, restored.extra["positions"], strict=True):
                group.stream.set_state(position)

        def save(done: int, members: dict[str, state.Member]) -> None:
            positions = [group.stream.get_state() for group in groups]
            checkpoints.save(done, members, assess.best, {"history": assess.history, "positions": positions})

        hooks = [
            loop.every(recipe.eval_every, assess, last=recipe.steps),
            loop.every(recipe.checkpoint_every, save, last=recipe.steps),
            lambda done, members: progress.update(done),
        ]
        if probe is not None and probe.every:
            hooks.insert(0, loop.every(probe.every, Drift(probe, plans, boards, lambda: assess.stopped | set(assess.diverged))))
        stop = stack.enter_context(StopRequest())
        try:
            done = loop.run(members, groups, todo, first=first, last=recipe.steps, hooks=hooks, stop=stop, stopped=lambda: assess.stopped)
        except Interrupted as interrupted:
            save(interrupted.done, members)
            raise
        save(done, members)
    return Outcome(loop.variables(members), assess.best, assess.history)


def _finished(recipe: Recipe, restored: Restored) -> bool:
    """Returns whether nothing is left to train: all steps are done, or every member has stopped."""
    return restored.step == recipe.steps or early_stop.stopped(restored.extra["history"], recipe.patience, recipe.on_divergence) >= set(
        restored.members
    )
