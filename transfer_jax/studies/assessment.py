"""What is found out about members while they train: evaluations into a history and onto TensorBoard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from clu import parameter_overview
from jax.sharding import Mesh

from transfer_jax import models
from transfer_jax.analysis import filters
from transfer_jax.core import mesh as meshes
from transfer_jax.data.task import Task
from transfer_jax.metrics.training import TrainMetrics
from transfer_jax.train import early_stop, evaluate, loop
from transfer_jax.train.evaluate import DeviceBatch
from transfer_jax.train.progress import Progress
from transfer_jax.train.state import Member
from transfer_jax.train.step import Predict
from transfer_jax.train.tensorboard import Writer

Validations = Sequence[tuple[tuple[str, ...], Iterable[DeviceBatch]]]


class Assessment:
    """A hook that evaluates all members and writes down what it finds.

    Attributes:
      history: one entry per member and evaluation: member, step, auc, loss, and the training's averages since the last one.
      best: member -> its variables, on the host, at the evaluation with the lowest validation loss.
      stopped: the members whose training has stopped early.
    """

    def __init__(
        self,
        boards: Mapping[str, Writer],
        validations: Validations,
        predict: Predict,
        task: Task,
        patience: int | None,
        progress: Progress,
        mesh: Mesh,
    ) -> None:
        """`boards` are the members' event files, none where another process writes them; `validations` says who is judged by what."""
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.stopped: set[str] = set()
        self._boards, self._validations, self._predict, self._task = boards, validations, predict, task
        self._patience, self._progress, self._mesh = patience, progress, mesh

    def introduce(self, name: str, facts: Mapping[str, Any], params: Any) -> None:
        """What a member is, before its first step: hyper-parameters and an overview of its parameters."""
        if name in self._boards:
            self._boards[name].hyper_parameters(facts)
            overview = parameter_overview.get_parameter_overview(params, include_stats=True)
            self._boards[name].text(0, "parameters", f"```\n{overview}\n```")

    def __call__(self, done: int, members: dict[str, Member]) -> None:
        """Evaluates every member that is still trained after `done` steps, empties its training averages, and keeps its best variables."""
        task = self._task
        variables = {name: values for name, values in loop.variables(members).items() if name not in self.stopped}
        reports: dict[str, dict[str, float]] = {}
        for names, batches in self._validations:
            judged = {name: variables[name] for name in names if name in variables}
            if judged:
                reports |= evaluate.evaluate(judged, batches, self._predict, task.kind, task.num_outputs)
        for name in variables:
            report = reports[name]
            averages = {f"train_{key}": float(value) for key, value in members[name].metrics.compute().items()} if done else {}
            members[name] = members[name].replace(metrics=jax.device_put(TrainMetrics.empty(), meshes.replicated(self._mesh)))
            self.history.append({"member": name, "step": done, **report, **averages})
            if early_stop.best(entry for entry in self.history if entry["member"] == name)["step"] == done:
                self.best[name] = jax.tree.map(np.array, variables[name])  # a copy: the next step is given the buffers
            if name in self._boards:
                self._boards[name].scalars(done, report | averages)
                self._boards[name].image(done, "filters/first_layer", filters.grid(first_filters(members[name].variables)))
        if reports:
            self._progress.note(f"AUC {np.mean([report['auc'] for report in reports.values()]):.3f}")
        self.stopped = early_stop.stopped(self.history, self._patience)

    def resume(self, history: list[dict[str, Any]], best: dict[str, Any]) -> None:
        """Goes on from what an earlier run of the program had found."""
        self.history, self.best = history, jax.tree.map(np.asarray, best)
        self.stopped = early_stop.stopped(history, self._patience)


def first_filters(variables: Any) -> np.ndarray:
    """The kernel of the first convolution, [k, k, c, d]."""
    return np.asarray(models.first_kernel(variables["params"]))
