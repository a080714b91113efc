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
from transfer_jax.settings import Recipe
from transfer_jax.studies import results
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
      stopped: Members that are not trained any more: they stopped early, or diverged.
      diverged: Member -> step of the evaluation at which it was found to have diverged.
    """

    def __init__(
        self,
        boards: Mapping[str, Writer],
        validations: Validations,
        predict: Predict,
        task: Task,
        recipe: Recipe,
        progress: Progress,
        mesh: Mesh,
    ) -> None:
        """`boards` are the members' event files, none where another process writes them; `validations` says who is judged by what."""
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.stopped: set[str] = set()
        self.diverged: dict[str, int] = {}
        self._boards, self._validations, self._predict, self._task = boards, validations, predict, task
        self._recipe, self._progress, self._mesh = recipe, progress, mesh

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
            averages = {f"train_{key}": float(value) for key, value in members[name].metrics.compute().items()} if done else {}
            members[name] = members[name].replace(metrics=jax.device_put(TrainMetrics.empty(), meshes.replicated(self._mesh)))
            # The last batches may have given a loss that is not finite while the variables still are.
            diverged = reports[name]["diverged"] or not np.isfinite(list(averages.values())).all()
            report = reports[name] | {"diverged": bool(diverged)}
            self.history.append({"member": name, "step": done, **report, **averages})
            if early_stop.best(entry for entry in self.history if entry["member"] == name)["step"] == done:
                self.best[name] = jax.tree.map(np.array, variables[name])  # a copy: the next step is given the buffers
            if name in self._boards:
                self._boards[name].scalars(done, report | averages)
                if not diverged:
                    self._boards[name].image(done, "filters/first_layer", filters.grid(first_filters(members[name].variables)))
        self._decide()
        for name, step in self.diverged.items():
            if step == done:
                self._tell(name, step)
        if reports:
            self._progress.note(self._note(reports))

    def _decide(self) -> None:
        """Decides from the history who has diverged and who is not trained any more."""
        self.diverged = early_stop.diverged(self.history)
        self.stopped = early_stop.stopped(self.history, self._recipe.patience, self._recipe.on_divergence)

    def _tell(self, name: str, step: int) -> None:
        """Says at once that a member has diverged."""
        goes_on = "" if name in self.stopped else "; it is trained on (on_divergence='continue')"
        text = f"diverged at step {step}: its loss, parameters or predictions are not finite{goes_on}"
        self._progress.say(f"{name} {text}")
        if name in self._boards:
            self._boards[name].text(step, "diverged", text)

    def _note(self, reports: Mapping[str, Mapping[str, float]]) -> str:
        """Sums up an evaluation of all members for the progress line."""
        members = [report for name, report in reports.items() if name not in self.diverged]
        parts = []
        if members:
            labels = results.labels_in_mean(members[0])
            parts.append(f"AUC {np.mean([report['auc'] for report in members]):.3f}{labels}")
        if self.diverged:
            parts.append(f"diverged: {', '.join(self.diverged)}")
        return ", ".join(parts)

    def resume(self, history: list[dict[str, Any]], best: dict[str, Any]) -> None:
        """Goes on from what an earlier run of the program had found."""
        self.history, self.best = history, jax.tree.map(np.asarray, best)
        self._decide()


def first_filters(variables: Any) -> np.ndarray:
    """The kernel of the first convolution, [k, k, c, d]."""
    return np.asarray(models.first_kernel(variables["params"]))
