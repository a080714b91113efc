"""What a training leaves in the run folder: weights with their cards, and first-layer kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transfer_jax import weights
from transfer_jax.data.dataset import Dataset
from transfer_jax.runs import first_layer, layout, results, trained
from transfer_jax.runs.first_layer import Filters
from transfer_jax.settings import Study
from transfer_jax.studies.training import Outcome
from transfer_jax.train import evaluator
from transfer_jax.train.population import MemberSpec
from transfer_jax.train.recipe import LOSS
from transfer_jax.weights import Card

_NOT_RECIPE = ("network", "data", "task")


def save_weights(
    study: Study, folder: Path, dataset: Dataset, specs: Sequence[MemberSpec], outcome: Outcome
) -> None:
    """Saves the last and best weights of every member, with their cards.

    Weights of a diverged member that are of no use are not left behind, see
    `results.kept_evaluations`.
    """
    for spec in specs:
        variables = {"last": outcome.variables[spec.name], "best": outcome.best[spec.name]}
        kept = results.kept_evaluations(outcome.history, spec.name, study.recipe.select)
        for take, entry in kept.items():
            place = layout.weights(folder, spec.name, take)
            weights.save(place, variables[take], card(study, dataset, spec.facts, entry))


def save_filters(folder: Path, specs: Sequence[MemberSpec], outcome: Outcome | None) -> None:
    """Saves the first-layer kernels of every member before training and, once done, after it."""
    before = {spec.name: evaluator.first_filters(spec.variables) for spec in specs}
    trained_variables = {} if outcome is None else outcome.variables
    after = {name: evaluator.first_filters(v) for name, v in trained_variables.items()}
    first_layer.write(folder, Filters(before, after))


def card(
    study: Study,
    dataset: Dataset,
    facts: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    network: str | None = None,
) -> Card:
    """Returns the card of a member's weights.

    Args:
      study: The study.
      dataset: Data that the member was trained on.
      facts: What its training was.
      evaluation: Entry of the history that the weights belong to.
      network: Name of the network, where it is not the study's.
    """
    options = {
        name: getattr(study.network_options, name) for name in ("widths", "momentum", "epsilon")
    }
    manifest, task = dataset.manifest, dataset.task
    recipe = {name: value for name, value in facts.items() if name not in _NOT_RECIPE}
    recipe |= {"steps": evaluation["step"]}
    if task.kind == "binary":
        recipe["threshold"] = task.threshold
    named = {label: manifest.labels[label]["names"] for label in task.labels}
    if any(named.values()):
        recipe[trained.VALUE_NAMES] = {label: names for label, names in named.items() if names}
    normalisation = dataset.normalisation
    measured = dict.fromkeys(("auc", "loss", facts.get("select", LOSS)))
    return Card(
        network=network or study.network,
        layout=study.network_options.layout,
        options={name: value for name, value in options.items() if value not in (None, ())},
        normalisation=normalisation.grey() if dataset.channels == 1 else normalisation,
        normalisation_from="of the training",
        data=f"{manifest.name}: {dataset.described()} of {manifest.height} x {manifest.width}",
        task=f"{task.kind}: {', '.join(task.labels)}",
        recipe=recipe,
        metrics={f"validation {name}": float(evaluation[name]) for name in measured},
        licence=str(manifest.source.get("licence", "")),
    )
