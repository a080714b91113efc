"""Trains a study's source, where its pretrained weights do not come from a file."""

from __future__ import annotations

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from transfer_jax import settings, weights
from transfer_jax.core import processes, rng
from transfer_jax.core.errors import DivergedError
from transfer_jax.data import dataset
from transfer_jax.data.dataset import Dataset
from transfer_jax.metrics.decisions import TOP
from transfer_jax.runs import initial, inputs, layout, results
from transfer_jax.runs.inputs import Pretrained
from transfer_jax.settings import Study
from transfer_jax.settings.pretraining import TrainedSource
from transfer_jax.studies import members, saving, training
from transfer_jax.train import early_stop
from transfer_jax.train.population import MemberSpec
from transfer_jax.train.recipe import Recipe
from transfer_jax.train.schedule import MemberSchedule

NAME = layout.source_member()


def open_data(study: Study, folder: Path) -> Dataset | None:
    """Opens the data of a source that is to be trained; returns None for other kinds.

    Raises:
      DataError: The data are missing or damaged.
    """
    source = study.source.selected()
    if not isinstance(source, TrainedSource):
        return None
    spec = inputs.source_image_spec(study)
    return dataset.open_data(source.data, spec, folder, study.seed)


def train(study: Study, folder: Path, mesh: Mesh, opened: Dataset | None) -> Pretrained:
    """Trains the source, or one source per repeat, or resumes its training.

    Sources of several repeats are members of one training, and each keeps its weights in a folder
    of its own.

    Args:
      study: The study.
      folder: Its folder.
      mesh: The devices.
      opened: Data of the source; None for a study without a source.

    Raises:
      DivergedError: The source's training diverged.
      Interrupted: The user asked to stop; everything is saved.
    """
    source = study.source.selected()
    if not isinstance(source, TrainedSource):
        return Pretrained()
    assert opened is not None
    network, outputs = inputs.pretrained_network(study), opened.task.num_outputs
    repeats = inputs.sources(study)
    specs = [_spec(study, source.recipe, opened, repeat) for repeat in repeats]
    outcome = training.train(
        training.Training(
            label=NAME,
            folder=folder / layout.SOURCE,
            make_network=functools.partial(settings.network, study, outputs, name=network),
            dataset=opened,
            recipe=source.recipe,
            specs=specs,
            # Another seed than the targets', so that a source and a target on the same images do
            # not share their order.
            seed=study.seed + 1,
            mesh=mesh,
            metrics=_metrics(study, opened),
        )
    )
    _check_sound(source.recipe, outcome)
    # Best variables are on the host, and initialisers take arrays on the device.
    best = source.take == "best"
    kept = jax.tree.map(jnp.asarray, outcome.best) if best else outcome.variables
    if processes.is_main():
        for repeat, spec in zip(repeats, specs, strict=True):
            entry = results.taken(outcome.history, spec.name, source.take, source.recipe.select)
            card = saving.card(study, opened, spec.facts, entry, network)
            weights.save(layout.source_weights(folder, repeat), kept[spec.name], card)
    variables = tuple(kept[spec.name] for spec in specs)
    return Pretrained(variables=variables, history=tuple(outcome.history))


def _metrics(study: Study, opened: Dataset) -> tuple[str, ...]:
    """Returns the study's metrics, and top-5 accuracy of a source that has more than five classes.

    It is the score by which sources such as ImageNet's are compared.
    """
    names = study.evaluated_metrics
    many = opened.task.kind == "multiclass" and opened.task.classes > TOP
    return tuple(dict.fromkeys((*names, "top5"))) if many else names


def _spec(study: Study, recipe: Recipe, opened: Dataset, repeat: int | None) -> MemberSpec:
    """Returns a source before its training: that of a repeat, or with None that of all repeats."""
    key, network = rng.stream(jax.random.key(study.seed), NAME), inputs.pretrained_network(study)
    if repeat is not None:
        key = jax.random.fold_in(key, repeat)
    return MemberSpec(
        name=layout.source_member(repeat),
        repeat=repeat or 0,
        variables=initial.fresh_variables(study, opened, rng.stream(key, "init"), network),
        key=rng.stream(key, "train"),
        schedule=MemberSchedule.of(recipe),
        facts=members.facts(network, opened, recipe),
    )


def _check_sound(recipe: Recipe, outcome: training.Outcome) -> None:
    diverged = early_stop.diverged(outcome.history)
    if not diverged:
        return
    name, step = next(iter(diverged.items()))
    which = "the source" if name == NAME else f"the source of repeat {name.partition('-')[2]}"
    raise DivergedError(
        f"{which} diverged at step {step} of {recipe.steps}: its loss, parameters or "
        "predictions are not finite, so that no arm can begin from it; lower "
        f"config.source.recipe.learning_rate (now {recipe.learning_rate:g}) and give a new workdir"
    )
