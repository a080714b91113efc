"""A study's members: every arm, begun once for every repeat."""

from collections.abc import Callable
from typing import Any

import jax

from transfer_jax import inits, models, settings
from transfer_jax.core import rng
from transfer_jax.settings import Arm, Study
from transfer_jax.studies import datasets, programs, sources
from transfer_jax.studies.plan import Plan


def check(study: Study, source: Any) -> None:
    """Raises where an arm cannot begin from the source, or cannot be trained as asked, without drawing or computing anything.

    Args:
      study: with its arms.
      source: pretrained variables, None where there are none yet: of a source that is to be trained, the shapes are known.

    Raises:
      ConfigError: shapes differ in a stage that an arm takes; a phase does not fit the network that it trains.
    """
    shapes = _shapes(study, study.network)
    if study.source.recipe is not None:
        source = _shapes(study, sources.pretrained_network(study))
        programs.check(study.source.recipe, [programs.course(study.source.recipe)], source["params"])
    if source is not None:
        for arm in study.arms:
            jax.eval_shape(_initialiser(arm), jax.random.key(0), shapes, source)
    programs.check(study.recipe, [programs.course(study.recipe, arm) for arm in study.arms], shapes["params"])


def _shapes(study: Study, network: str) -> Any:
    """The shapes of a network's variables, with the study's options."""
    return models.shapes(settings.network(study, num_outputs=1, name=network), models.least_side(network), study.network_options.channels)


def _initialiser(arm: Arm) -> Callable[[jax.Array, Any, Any], Any]:
    return inits.build(arm.init, **arm.options())


def plans(study: Study, opened: datasets.Opened, source: Any) -> list[Plan]:
    """One plan for each member, repeat by repeat.

    All arms of a repeat begin from the same freshly drawn variables (what an arm does not take from the source is equal
    between them), so that arms differ by their initialiser alone.
    """
    made = []
    facts = sources.facts(study.network, opened, study.recipe)
    for repeat in range(study.repeats):
        key, drawn = _drawn(study, opened, repeat)
        for arm in study.arms:
            course = programs.course(study.recipe, arm)
            own = {"repeat": repeat, "learning_rate": course.learning_rate, "weight_decay": course.weight_decay}
            made.append(
                Plan(
                    name=arm.member(repeat),
                    repeat=repeat,
                    variables=_begun(arm, key, drawn, source),
                    key=rng.stream(key, "train"),
                    course=course,
                    facts=facts | {"arm": arm.name, "init": arm.init, **arm.options()} | own,
                )
            )
    return made


def first_variables(study: Study, opened: datasets.Opened, arm: Arm, repeat: int, source: Any) -> Any:
    """Where an arm's member of a repeat begins, as in `plans`."""
    return _begun(arm, *_drawn(study, opened, repeat), source)


def _drawn(study: Study, opened: datasets.Opened, repeat: int) -> tuple[jax.Array, Any]:
    """A repeat's key, and the variables that all its arms have before their initialisers."""
    key = jax.random.fold_in(jax.random.key(study.seed), repeat)
    return key, sources.initial(study, opened, rng.stream(key, "init"))


def _begun(arm: Arm, key: jax.Array, drawn: Any, source: Any) -> Any:
    return _initialiser(arm)(rng.stream(key, "initialiser"), drawn, source)
