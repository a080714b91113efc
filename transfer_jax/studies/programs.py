"""From a recipe to what each member does at each step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flax import traverse_util
from jax.sharding import Mesh

from transfer_jax import models, optim
from transfer_jax.core.errors import ConfigError
from transfer_jax.optim import rates, schedules
from transfer_jax.settings import Phase, Recipe
from transfer_jax.train import phases, step
from transfer_jax.train.objective import Objective
from transfer_jax.train.phases import Program

# Stages whose batch norms are frozen -> the network.
Network = Callable[[tuple[str, ...]], Any]


@dataclasses.dataclass(frozen=True)
class Course:
    """A recipe as one member follows it: what an arm may have of its own.

    Attributes:
      learning_rate: peak, where a phase has none of its own.
      weight_decay: where a phase has none of its own.
      phases: at least one.
    """

    learning_rate: float
    weight_decay: float
    phases: tuple[Phase, ...]


def course(recipe: Recipe, own: Any = None) -> Course:
    """The recipe's course, or an arm's where `own` has `learning_rate`, `weight_decay`, `rates` or `phases` that are not None.

    Raises:
      ConfigError: the phases' steps do not add up to the recipe's.
    """

    def chosen(option: str) -> Any:
        value = getattr(own, option, None)
        return getattr(recipe, option) if value is None else value

    parts = chosen("phases") or (Phase(steps=recipe.steps, rates=chosen("rates")),)
    total = sum(phase.steps for phase in parts)
    if total != recipe.steps:
        raise ConfigError(
            f"the phases have {' + '.join(str(phase.steps) for phase in parts)} = {total} steps, the recipe {recipe.steps}: make them equal"
        )
    return Course(chosen("learning_rate"), chosen("weight_decay"), parts)


def check(recipe: Recipe, courses: Iterable[Course], params: Any) -> None:
    """Raises ConfigError where a course does not fit the network or the optimisers."""
    for each in courses:
        for phase in each.phases:
            _optimizer(recipe, phase)
            _factors(params, phase)


def make(recipe: Recipe, courses: Mapping[str, Course], network: Network, params: Any, goal: Objective, mesh: Mesh) -> dict[str, Program]:
    """Member -> its program; members whose phases differ in numbers alone share compiled steps.

    Args:
      recipe: of all members.
      courses: member -> its course.
      network: makes it.
      params: its parameters, or their shapes.
      goal: what is minimised.
      mesh: the devices.
    """
    compiled: dict[Any, step.TrainStep] = {}
    made = {}
    for name, own in courses.items():
        parts, first = [], 0
        for phase in own.phases:
            factors = _factors(params, phase)
            optimizer, frozen = _optimizer(recipe, phase), _frozen(params, factors) if recipe.batch_norm == "frozen" else ()
            trained = {path: factor for path, factor in factors.items() if factor}
            key = (first, *(getattr(phase, option) for option in ("steps", "rates", "optimizer", "schedule", "warmup")))
            if key not in compiled:
                compiled[key] = step.make_train_step(network(frozen), goal, optimizer, mesh, trained, first)
            rate = own.learning_rate if phase.learning_rate is None else phase.learning_rate
            decay = own.weight_decay if phase.weight_decay is None else phase.weight_decay
            parts.append(phases.Phase(first, optimizer, trained, optim.hyper(rate, decay), compiled[key]))
            first += phase.steps
        made[name] = Program(parts, mesh)
    return made


def _factors(params: Any, phase: Phase) -> dict[str, float]:
    groups = {**models.table_of(params), models.HEAD: tuple(module for module in models.HEADS if module in params)}
    return rates.factors(traverse_util.flatten_dict(params, sep="/"), phase.rates, groups)


def _frozen(params: Any, factors: Mapping[str, float]) -> tuple[str, ...]:
    """The stages of which nothing is trained."""
    trained = {path.split("/")[0] for path, factor in factors.items() if factor}
    return tuple(stage for stage, modules in models.table_of(params).items() if not trained & set(modules))


def _optimizer(recipe: Recipe, phase: Phase) -> optim.Optimizer:
    """The phase's optimiser and schedule.

    Raises:
      ConfigError: an unknown name, or a warm-up as long as the phase.
    """
    name = phase.optimizer or recipe.optimizer
    options = ("b1", "b2", "epsilon") if name == "adam" else ("momentum",)
    chosen = {option: getattr(recipe, option) for option in options}
    warmup = recipe.warmup if phase.warmup is None else phase.warmup
    schedule = schedules.build(phase.schedule or recipe.schedule, phase.steps, warmup)
    return optim.build(name, **{option: value for option, value in chosen.items() if value is not None}, schedule=schedule)
