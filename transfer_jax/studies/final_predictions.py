"""Predictions of every judged image at the end of a study, by the last and the best weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from transfer_jax.core import processes
from transfer_jax.data import loader
from transfer_jax.runs import layout, predictions, results
from transfer_jax.runs.predictions import Images, Predictions
from transfer_jax.studies.training import EVAL_BATCH, Outcome, Training
from transfer_jax.train import state


def save(training: Training, outcome: Outcome) -> None:
    """Saves the scores of every validation and test image, by the weights that are worth keeping.

    Images of a split are read once per repeat for the last weights and once for the best ones,
    which are put on the devices only then.

    Args:
      training: The training of the members.
      outcome: What it gave; see `results.kept_evaluations` for the weights of diverged members.
    """
    parts, select = training.dataset.parts, training.recipe.select
    by_repeat: dict[int, list[str]] = {}
    for spec in training.specs:
        by_repeat.setdefault(spec.repeat, []).append(spec.name)
    for repeat, names in by_repeat.items():
        kept = {name: results.kept_evaluations(outcome.history, name, select) for name in names}
        for split, positions in parts[repeat % len(parts)].judged().items():
            for take in layout.WEIGHTS:
                _save(training, outcome, kept, split, positions, take)


def _save(
    training: Training,
    outcome: Outcome,
    kept: Mapping[str, Mapping[str, Any]],
    split: str,
    positions: np.ndarray,
    take: str,
) -> None:
    members, same = {}, []
    for name, entries in kept.items():
        if take not in entries:
            continue
        if take == "best" and entries.get("last") is entries["best"]:
            same.append(name)
            continue
        variables = outcome.variables[name] if take == "last" else outcome.best[name]
        if take == "best":
            variables = state.on_mesh(variables, training.mesh)
        members[name] = (variables, outcome.objective_params[name])
    scores = _scores(training, members, positions)
    if not processes.is_main():
        return
    folder, dataset = training.folder, training.dataset
    images = Images.of(dataset.records.rows, positions, dataset.task.labels, dataset.judged)
    outputs = training.judge.outputs
    for name, log_odds in scores.items():
        path = layout.predictions(folder, name, split, take)
        predictions.write(path, Predictions(images=images, outputs=outputs, log_odds=log_odds))
    for name in same:
        last = layout.predictions(folder, name, split, "last")
        predictions.copy(last, layout.predictions(folder, name, split, "best"))


def _scores(
    training: Training, members: Mapping[str, tuple[Any, Any]], positions: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the log-odds of the images by every member, {member: [n, s]}."""
    if not members:
        return {}
    # The batches have the shape of the evaluations', whose program is compiled already.
    images = loader.from_records(
        training.dataset,
        positions,
        training.mesh,
        batch_size=EVAL_BATCH * training.mesh.size,
        columns=training.objective.needs.columns,
    )
    predicted = training.judge.predictions(members, images)
    return {
        name: np.asarray(prediction.scores)[: len(positions)]
        for name, prediction in predicted.items()
    }
