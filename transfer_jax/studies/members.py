"""A study's members: every arm, begun once per repeat."""

from __future__ import annotations

from typing import Any

import jax

from transfer_jax import models, settings
from transfer_jax.core import rng
from transfer_jax.data.dataset import Dataset
from transfer_jax.runs import initial, inputs
from transfer_jax.runs.inputs import Pretrained
from transfer_jax.settings import Study
from transfer_jax.train.population import MemberSpec
from transfer_jax.train.recipe import LOSS, Recipe
from transfer_jax.train.schedule import MemberSchedule


def check(study: Study, pretrained: Any) -> None:
    """Checks that every arm can begin and be trained as the study says, without computing anything.

    Args:
      study: The study.
      pretrained: Pretrained variables; None where there are none yet (the shapes of a source that
        is to be trained are known anyway).

    Raises:
      ConfigError: Shapes differ in a stage that an arm takes, or a phase does not fit the network
        that it trains.
    """
    shapes = _shapes(study, study.network)
    if study.source.recipe is not None:
        pretrained = _shapes(study, inputs.pretrained_network(study))
        MemberSchedule.of(study.source.recipe).check(pretrained["params"])
    for arm in study.arms:
        if pretrained is not None:
            jax.eval_shape(initial.initialiser(arm), jax.random.key(0), shapes, pretrained)
        MemberSchedule.of(study.recipe, arm).check(shapes["params"])


def _shapes(study: Study, network: str) -> Any:
    """Returns the shapes of a network's variables, with the study's options."""
    module = settings.network(study, num_outputs=1, name=network)
    return models.shapes(module, models.least_side(network), study.network_options.channels)


def specs(study: Study, dataset: Dataset, pretrained: Pretrained) -> list[MemberSpec]:
    """Returns the members, repeat by repeat.

    All arms of a repeat begin from the same freshly drawn variables (whatever an arm does not take
    from the source is equal between them), so that arms differ by their initialiser alone.

    Args:
      study: The study.
      dataset: Its data.
      pretrained: What arms begin from.
    """
    members = []
    shared = facts(study.network, dataset, study.recipe)
    for repeat in range(study.repeats):
        key = initial.repeat_key(study, repeat)
        fresh = initial.fresh_variables(study, dataset, rng.stream(key, "init"))
        for arm in study.arms:
            schedule = MemberSchedule.of(study.recipe, arm)
            facts_of_arm = {
                "arm": arm.name,
                "init": arm.init,
                **arm.options(),
                "repeat": repeat,
                "learning_rate": schedule.learning_rate,
                "weight_decay": schedule.weight_decay,
            }
            members.append(
                MemberSpec(
                    name=arm.member(repeat),
                    repeat=repeat,
                    variables=initial.initial_variables(arm, key, fresh, pretrained.of(repeat)),
                    key=rng.stream(key, "train"),
                    schedule=schedule,
                    facts=shared | facts_of_arm,
                )
            )
    return members


def facts(network: str, dataset: Dataset, recipe: Recipe) -> dict[str, Any]:
    """Returns what a training is, in words and numbers; "select" and "epochs" if set."""
    chosen: dict[str, Any] = {} if recipe.select == LOSS else {"select": recipe.select}
    if recipe.epochs is not None:
        chosen["epochs"] = recipe.epochs
    return {
        "network": network,
        "data": dataset.manifest.name,
        "task": f"{dataset.task.kind} {' '.join(dataset.task.labels)}",
        "optimizer": recipe.optimizer,
        "batch_size": recipe.batch_size,
        "steps": recipe.steps,
        **chosen,
    }
