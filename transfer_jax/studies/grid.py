"""A study's members: every arm, begun once for every repeat."""

from typing import Any

import jax

from transfer_jax import inits, models, settings
from transfer_jax.core import rng
from transfer_jax.settings import Study
from transfer_jax.studies import datasets, sources
from transfer_jax.studies.session import Plan


def check(study: Study, source: Any) -> None:
    """Raises where an arm cannot begin from the source, without drawing or computing anything.

    Raises:
      ConfigError: shapes differ in a stage that an arm takes.
    """
    shapes = jax.eval_shape(lambda: _empty(study))
    for arm in study.arms:
        options = {name: getattr(arm, name) for name in inits.options(arm.init)}
        jax.eval_shape(inits.build(arm.init, **options), jax.random.key(0), shapes, source)


def _empty(study: Study) -> Any:
    """Variables of the study's network with a head of one output."""
    side = models.least_side(study.network)
    images = jax.numpy.zeros((1, side, side, study.network_options.channels))
    return settings.network(study, num_outputs=1).init(jax.random.key(0), images, train=False)


def plans(study: Study, opened: datasets.Opened, source: Any) -> list[Plan]:
    """One plan for each member, repeat by repeat.

    All arms of a repeat begin from the same freshly drawn variables (what an arm does not take from the source is equal
    between them), so that arms differ by their initialiser alone.
    """
    made = []
    facts = sources.facts(study.network, opened, study.recipe)
    for repeat in range(study.repeats):
        key = jax.random.fold_in(jax.random.key(study.seed), repeat)
        drawn = sources.initial(study, opened, rng.stream(key, "init"))
        for arm in study.arms:
            options = {name: getattr(arm, name) for name in inits.options(arm.init)}
            rate = study.recipe.learning_rate if arm.learning_rate is None else arm.learning_rate
            decay = study.recipe.weight_decay if arm.weight_decay is None else arm.weight_decay
            made.append(
                Plan(
                    name=arm.member(repeat),
                    repeat=repeat,
                    variables=inits.build(arm.init, **options)(rng.stream(key, "initialiser"), drawn, source),
                    key=rng.stream(key, "train"),
                    learning_rate=rate,
                    weight_decay=decay,
                    facts=facts | {"arm": arm.name, "init": arm.init, "repeat": repeat, "learning_rate": rate, "weight_decay": decay},
                )
            )
    return made
