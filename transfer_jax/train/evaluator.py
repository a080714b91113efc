"""Evaluates members during training and logs the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from clu import parameter_overview

from transfer_jax import models
from transfer_jax.analysis import filter_grid
from transfer_jax.objectives.protocol import DeviceBatch
from transfer_jax.train import early_stop
from transfer_jax.train.judge import Judge
from transfer_jax.train.population import Population
from transfer_jax.train.progress import Progress
from transfer_jax.train.recipe import Recipe
from transfer_jax.train.schedule import MemberSchedule
from transfer_jax.train.tracker import Trackers

Validations = Sequence[tuple[tuple[str, ...], Iterable[DeviceBatch]]]


class Evaluator:
    """A hook that evaluates all members, keeps their best variables, and logs the results.

    Attributes:
      history: One entry per member and evaluation: member, step, metrics, loss, diverged, and the
        averages of the training since the last evaluation.
      best: Member -> its variables, on the host, at its best evaluation by the recipe's `select`.
      schedules: Member -> its schedule, with the ends that the evaluations have given it.
      diverged: Member -> step of the evaluation that found it diverged.
    """

    def __init__(
        self,
        judge: Judge,
        validations: Validations,
        recipe: Recipe,
        schedules: Mapping[str, MemberSchedule],
        tracker: Trackers,
        progress: Progress,
    ) -> None:
        """Creates an evaluator without a history.

        Args:
          judge: How predictions are judged.
          validations: Names of members with the images that judge them.
          recipe: Says when members are evaluated, and which evaluation is the best.
          schedules: Member -> its schedule as the recipe has it.
          tracker: Where results are logged.
          progress: Shows a short result.
        """
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.schedules = dict(schedules)
        self.diverged: dict[str, int] = {}
        self._judge, self._validations, self._recipe = judge, validations, recipe
        self._planned = dict(schedules)
        self._tracker, self._progress = tracker, progress

    def introduce(self, population: Population) -> None:
        """Logs what every member is before its first step: its facts and its parameters."""
        if not self._tracker:
            return
        for name, spec in population.specs.items():
            self._tracker.facts(name, spec.facts)
            params = spec.variables["params"]
            overview = parameter_overview.get_parameter_overview(params, include_stats=True)
            self._tracker.text(name, 0, "parameters", f"```\n{overview}\n```")

    def stopped(self, done: int) -> set[str]:
        """Returns the members that take no step after `done` rounds.

        They have done all their steps, stopped early, or diverged.
        """
        return {name for name, schedule in self.schedules.items() if schedule.end <= done}

    def due(self, done: int) -> list[str]:
        """Returns the members to evaluate after `done` rounds.

        Every `eval_every` rounds that is every member which took part in the last one; in between,
        a member which that was the last round of.
        """
        trained = [name for name in self.schedules if name not in self.stopped(done - 1)]
        if done % self._recipe.eval_every == 0:
            return trained
        return [name for name in trained if self.schedules[name].end == done]

    def __call__(self, done: int, population: Population) -> None:
        """Evaluates the members that are due, and empties their training averages."""
        members = population.map(
            lambda member: (member.variables, member.objective_params), self.due(done)
        )
        reports: dict[str, dict[str, float]] = {}
        for names, batches in self._validations:
            evaluated = {name: members[name] for name in names if name in members}
            if evaluated:
                reports |= self._judge.evaluate(evaluated, batches)
        for name, (variables, _) in members.items():
            averages = population.empty_averages(name)
            logged = {f"train_{key}": value for key, value in averages.items()} if done else {}
            # The last batches may have given a loss that is not finite while the variables still
            # are.
            diverged = bool(reports[name]["diverged"] or not np.isfinite([*logged.values()]).all())
            entry = {"member": name, "step": done, **reports[name], "diverged": diverged, **logged}
            early_stop.check(entry, self._recipe.select, self._planned[name])
            self.history.append(entry)
            self._keep_best(name, done, variables)
            self._log(name, done, entry, variables)
        before = self.schedules
        self._decide()
        population.follow(self.schedules)
        for name in members:
            self._announce(name, done, before[name])
        if reports:
            self._progress.note(self._note(reports))

    def resume(self, history: list[dict[str, Any]], best: dict[str, Any]) -> None:
        """Continues from the history and the best variables of an earlier run of the program."""
        self.history, self.best = history, jax.tree.map(np.asarray, best)
        self._decide()

    def _keep_best(self, name: str, done: int, variables: Any) -> None:
        entries = [entry for entry in self.history if entry["member"] == name]
        if early_stop.best(entries, self._recipe.select)["step"] == done:
            # A copy: the next step reuses the buffers.
            self.best[name] = jax.tree.map(np.array, variables)

    def _log(self, name: str, done: int, entry: Mapping[str, Any], variables: Any) -> None:
        if not self._tracker:
            return
        numbers = {key: value for key, value in entry.items() if key not in ("member", "step")}
        self._tracker.scalars(name, done, numbers)
        if not entry["diverged"]:
            kernel = first_filters(variables)
            self._tracker.image(name, done, "filters/first_layer", filter_grid.grid(kernel))

    def _decide(self) -> None:
        """Derives from the history who has diverged, and how long every phase lasts."""
        self.diverged = early_stop.diverged(self.history)
        self.schedules = early_stop.followed(
            self._planned, self.history, self._recipe.on_divergence
        )

    def _announce(self, name: str, done: int, before: MemberSchedule) -> None:
        """Says at once that a member has diverged, and logs that a phase has ended early."""
        after = self.schedules[name]
        if self.diverged.get(name) == done:
            reason = "its loss, parameters or predictions are not finite"
            continues = "" if after.end == done else "; it is trained on (on_divergence='continue')"
            text = f"diverged at step {done}: {reason}{continues}"
            self._progress.say(f"{name} {text}")
            self._tracker.text(name, done, "diverged", text)
        elif after != before:
            self._tracker.text(name, done, "early_stop", early_stop.described(before, done))

    def _note(self, reports: Mapping[str, Mapping[str, float]]) -> str:
        """Returns a summary of an evaluation of all members, for the progress line."""
        members = [report for name, report in reports.items() if name not in self.diverged]
        parts = []
        if members:
            mean = np.mean([report["auc"] for report in members])
            parts.append(f"validation AUC {mean:.3f}{labels_in_mean(members[0])}")
        if self.diverged:
            parts.append(f"diverged: {', '.join(self.diverged)}")
        return ", ".join(parts)


def first_filters(variables: Any) -> np.ndarray:
    """Returns the kernel of the first convolution, [k, k, c, d]."""
    return np.asarray(models.first_kernel(variables["params"]))


def labels_in_mean(entry: Mapping[str, Any]) -> str:
    """Returns " (13 of 14 labels)" where an evaluation's mean AUC leaves labels out, else ""."""
    labels = sum(key.startswith("auc/") for key in entry)
    counted = entry.get("auc_labels", labels)
    return f" ({counted} of {labels} labels)" if counted < labels else ""
