"""One training of one or more members on one data set: of a source, or of a study's arms."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from transfer_jax import objectives
from transfer_jax.compare.drift import Drift
from transfer_jax.compare.probe import Probe
from transfer_jax.core import processes
from transfer_jax.core.errors import Interrupted
from transfer_jax.data.dataset import Dataset
from transfer_jax.data.loader import Loader
from transfer_jax.objectives import Objective
from transfer_jax.runs import layout, results, trained
from transfer_jax.train import early_stop, loop, step
from transfer_jax.train.checkpoint import Checkpoints, Restored
from transfer_jax.train.evaluator import Evaluator
from transfer_jax.train.interrupt import StopRequest
from transfer_jax.train.judge import Judge
from transfer_jax.train.population import MakeNetwork, MemberSpec, Population
from transfer_jax.train.progress import Progress
from transfer_jax.train.recipe import Recipe
from transfer_jax.train.schedule import MemberSchedule
from transfer_jax.train.step import Predict
from transfer_jax.train.tracker import JsonLines, TensorBoard, Trackers

EVAL_BATCH = 128  # images per device


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a training gave.

    Attributes:
      variables: Member -> its last variables.
      best: Member -> its variables at its best evaluation, see `early_stop.best`.
      objective_params: Member -> last parameters of its objective; {} for most objectives.
      history: One entry per member and evaluation, see `Evaluator.history`.
    """

    variables: dict[str, Any]
    objective_params: dict[str, Any]
    best: dict[str, Any]
    history: list[dict[str, Any]]

    def usable(self, take: str, select: str) -> dict[str, Any]:
        """Returns member -> its "last" or "best" variables, of members that have such weights.

        See `results.kept_evaluations`, whose argument `select` is: a diverged member has no last
        weights.
        """
        variables = {"last": self.variables, "best": self.best}[take]
        return {
            name: of_member
            for name, of_member in variables.items()
            if take in results.kept_evaluations(self.history, name, select)
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained, on what, and how.

    Attributes:
      label: What this is, for the progress.
      folder: Folder that gets checkpoints, event files, the log and the history.
      make_network: Makes the network with some stages' batch norms frozen.
      dataset: The data.
      recipe: How members are trained.
      specs: The members.
      seed: Seed of data order and augmentation.
      mesh: The devices.
      metrics: Names of the metrics of every evaluation.
      probe: Compares members with their first variables while they train; None for no comparison.
    """

    label: str
    folder: Path
    make_network: MakeNetwork
    dataset: Dataset
    recipe: Recipe
    specs: list[MemberSpec]
    seed: int
    mesh: Mesh
    metrics: tuple[str, ...]
    probe: Probe | None = None

    @functools.cached_property
    def objective(self) -> Objective:
        """What is minimised, for the data set's task."""
        task = self.dataset.task
        return objectives.create(self.recipe.objective, kind=task.kind, widths=task.widths)

    @functools.cached_property
    def predict(self) -> Predict:
        """The compiled prediction of batches of `EVAL_BATCH` images per device."""
        prediction = step.make_predict(self.make_network(()), self.objective)
        return step.compile_predict(prediction, self.mesh)

    @functools.cached_property
    def judge(self) -> Judge:
        """How members are judged, by the data set's task."""
        task = self.dataset.task
        outputs = trained.output_names(task.kind, task.labels, task.num_outputs)
        exclusive = task.kind == "multiclass"
        referable = self.dataset.config.referable
        return Judge(
            self.objective, self.predict, tuple(outputs), exclusive, self.metrics, referable
        )


def train(training: Training) -> Outcome:
    """Trains all members, or resumes where an earlier run of the program in the folder stopped.

    Raises:
      Interrupted: The user asked to stop; everything is saved.
      CheckpointError: There are checkpoints and none can be read.
    """
    population = Population(
        training.specs, training.make_network, training.objective, training.mesh
    )
    with contextlib.ExitStack() as stack:
        checkpoints = stack.enter_context(Checkpoints(training.folder / layout.CHECKPOINTS))
        restored = checkpoints.restore(
            lambda done, extra: population.like(done, _followed(training, extra["history"]))
        )
        if restored is not None and _finished(training, restored):
            population.restore(restored.members)
            best = jax.tree.map(np.asarray, restored.best)
            return _outcome(population, best, restored.extra["history"])
        session = _Session(training, population, checkpoints, restored, stack)
        session.run()
        evaluator = session.evaluator
    return _outcome(population, evaluator.best, evaluator.history)


def _outcome(
    population: Population, best: dict[str, Any], history: list[dict[str, Any]]
) -> Outcome:
    return Outcome(
        variables=population.variables(),
        objective_params=population.map(lambda member: member.objective_params),
        best=best,
        history=history,
    )


class _Session:
    """The parts of a running training, put together."""

    def __init__(
        self,
        training: Training,
        population: Population,
        checkpoints: Checkpoints,
        restored: Restored | None,
        stack: contextlib.ExitStack,
    ) -> None:
        self._training, self._population = training, population
        self._checkpoints, self._stack = checkpoints, stack
        recipe, mesh = training.recipe, training.mesh
        self._first = restored.step if restored is not None else 0
        self._progress = stack.enter_context(
            Progress(
                training.label, self._first, recipe.steps, recipe.batch_size * len(training.specs)
            )
        )
        by_repeat: dict[int, tuple[str, ...]] = {}
        for spec in training.specs:
            by_repeat[spec.repeat] = (*by_repeat.get(spec.repeat, ()), spec.name)
        loader = Loader(
            training.dataset,
            mesh,
            reads=recipe.steps * recipe.batch_size * len(by_repeat),
            columns=training.objective.needs.columns,
        )
        self._groups = _groups(training, loader, by_repeat)
        self._tracker = _tracker(training, population, stack)
        self.evaluator = Evaluator(
            training.judge,
            _validations(training, loader, by_repeat),
            recipe,
            {spec.name: spec.schedule for spec in training.specs},
            self._tracker,
            self._progress,
        )
        if restored is None:
            self.evaluator.introduce(population)
            self._evaluate(0, population)
        else:
            population.restore(restored.members)
            self.evaluator.resume(restored.extra["history"], restored.best)
            population.follow(self.evaluator.schedules)
            for group, position in zip(self._groups, restored.extra["positions"], strict=True):
                group.stream.set_state(position)

    def run(self) -> None:
        """Trains to the end, and saves the last state."""
        recipe, stop = self._training.recipe, self._stack.enter_context(StopRequest())
        try:
            done = loop.run(
                self._population,
                self._groups,
                first=self._first,
                last=recipe.steps,
                hooks=self._hooks(),
                stop=stop,
                stopped=self.evaluator.stopped,
            )
        except Interrupted as interrupted:
            self._save(interrupted.done, self._population)
            raise
        self._save(done, self._population)

    def _hooks(self) -> list[loop.Hook]:
        recipe, probe = self._training.recipe, self._training.probe
        hooks: list[loop.Hook] = []
        if probe is not None and probe.every:
            hooks.append(loop.every(probe.every, Drift(probe, self._tracker, self._not_followed)))
        hooks += [
            self._evaluate,
            loop.every(recipe.checkpoint_every, self._save, last=recipe.steps),
            lambda done, population: self._progress.update(done),
        ]
        return hooks

    def _not_followed(self, done: int) -> set[str]:
        """Returns the members that took no step in the last of `done` rounds, or have diverged."""
        return self.evaluator.stopped(done - 1) | set(self.evaluator.diverged)

    def _evaluate(self, done: int, population: Population) -> None:
        if not self.evaluator.due(done):
            return
        self.evaluator(done, population)
        if processes.is_main():
            results.write_history(self._training.folder, self.evaluator.history)

    def _save(self, done: int, population: Population) -> None:
        positions = [group.stream.get_state() for group in self._groups]
        extra = {"history": self.evaluator.history, "positions": positions}
        self._checkpoints.save(done, population.save(), self.evaluator.best, extra)


def _groups(
    training: Training, loader: Loader, by_repeat: dict[int, tuple[str, ...]]
) -> list[loop.Group]:
    """Returns one group per repeat, whose members see the same batches."""
    groups = []
    for repeat, names in by_repeat.items():
        batches = loader.training(repeat, batch_size=training.recipe.batch_size, seed=training.seed)
        groups.append(loop.Group(names, batches.stream, batches.prepare))
    return groups


def _validations(
    training: Training, loader: Loader, by_repeat: dict[int, tuple[str, ...]]
) -> list[tuple[tuple[str, ...], Any]]:
    """Returns names of members with the images that judge them, one entry per fold in use."""
    folds = len(training.dataset.parts)
    batch_size = EVAL_BATCH * training.mesh.size
    validations = []
    for fold in range(folds):
        names = [name for r, names in by_repeat.items() if r % folds == fold for name in names]
        if names:
            validations.append((tuple(names), loader.validation(fold, batch_size=batch_size)))
    return validations


def _tracker(training: Training, population: Population, stack: contextlib.ExitStack) -> Trackers:
    """Returns what the main process logs to; other processes log nothing."""
    if not processes.is_main():
        return Trackers([])
    folder = training.folder
    boards = TensorBoard(folder / layout.TENSORBOARD, population.names, stack)
    return Trackers([boards, JsonLines(folder / layout.LOG, stack)])


def _followed(
    training: Training, history: Sequence[Mapping[str, Any]]
) -> dict[str, MemberSchedule]:
    """Returns the schedules of the members as they followed them until now."""
    schedules = {spec.name: spec.schedule for spec in training.specs}
    return early_stop.followed(schedules, history, training.recipe.on_divergence)


def _finished(training: Training, restored: Restored) -> bool:
    """Returns whether nothing is left to train."""
    schedules = _followed(training, restored.extra["history"])
    return all(schedule.end <= restored.step for schedule in schedules.values())
