"""The training plan as one member follows it: the recipe with its arm's overrides, as phases."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from flax import traverse_util

from transfer_jax import models, optim
from transfer_jax.core.errors import ConfigError
from transfer_jax.optim import rates, schedules
from transfer_jax.train.recipe import Phase, Recipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduledPhase:
    """Some steps of a member's training, with nothing left open.

    Attributes:
      first: Step at which the phase begins, at the latest.
      steps: Number of steps, at most.
      rates: Rules of `optim.rates`.
      optimizer: Name of the optimiser.
      options: Options of the optimiser, (name, value) pairs.
      schedule: Name of the learning-rate schedule.
      warmup: Number of steps of linear rise.
      batch_norm: See `Recipe.batch_norm`.
      learning_rate: Peak learning rate.
      weight_decay: Weight decay.
      patience: Number of evaluations without a better `select` that end the phase; None for no end
        before its steps are done.
      select: Validation metric that `patience` counts by.
    """

    first: int
    steps: int
    rates: tuple[str, ...]
    optimizer: str
    options: tuple[tuple[str, float], ...]
    schedule: str
    warmup: int
    batch_norm: str
    learning_rate: float
    weight_decay: float
    patience: int | None
    select: str

    @property
    def last(self) -> int:
        """The step after which the phase ends, at the latest."""
        return self.first + self.steps

    @property
    def hyper(self) -> optim.Hyper:
        """The numbers that are leaves of the member's state."""
        return optim.hyper(self.learning_rate, self.weight_decay)

    @property
    def compiled_as(self) -> ScheduledPhase:
        """The phase without what is a leaf or no matter of a step: equal ones share a program."""
        return dataclasses.replace(
            self, first=0, learning_rate=0.0, weight_decay=0.0, patience=None, select=""
        )

    def build_optimizer(self) -> optim.Optimizer:
        """Returns the optimiser with the phase's schedule.

        Raises:
          ConfigError: An unknown name, or a warm-up as long as the phase.
        """
        schedule = schedules.build(self.schedule, self.steps, self.warmup)
        return optim.build(self.optimizer, **dict(self.options), schedule=schedule)

    def factors(self, params: Any) -> dict[str, float]:
        """Returns path -> factor of the learning rate of every parameter; 0 freezes it.

        Args:
          params: Parameters of the network, or their shapes.

        Raises:
          ConfigError: A rule does not fit the network.
        """
        heads = tuple(module for module in models.HEADS if module in params)
        groups = {**models.table_of(params), models.HEAD: heads}
        return rates.factors(traverse_util.flatten_dict(params, sep="/"), self.rates, groups)

    def frozen_stages(self, params: Any, factors: Mapping[str, float]) -> tuple[str, ...]:
        """Returns the stages whose batch norms are frozen: those of which nothing is trained."""
        if self.batch_norm != "frozen":
            return ()
        trained = {path.split("/")[0] for path, factor in factors.items() if factor}
        table = models.table_of(params)
        return tuple(stage for stage, modules in table.items() if not trained & set(modules))


@dataclasses.dataclass(frozen=True)
class MemberSchedule:
    """What a member does at every step.

    At first every phase has all its steps. What evaluations change of that is
    `early_stop.followed`.

    Attributes:
      phases: Phases in order; the first begins at step 0.
      end: Number of steps after which the member is not trained any more.
      learning_rate: Peak learning rate of phases without one of their own.
      weight_decay: Weight decay of phases without one of their own.
    """

    phases: tuple[ScheduledPhase, ...]
    end: int
    learning_rate: float
    weight_decay: float

    @classmethod
    def of(cls, recipe: Recipe, overrides: Any = None) -> MemberSchedule:
        """Returns the recipe's schedule.

        Args:
          recipe: The recipe, in steps (see `train.epochs.in_steps`).
          overrides: An arm, whose `learning_rate`, `weight_decay`, `rates` and `phases` replace the
            recipe's where they are not None.

        Raises:
          ConfigError: The lengths of the phases do not add up to the recipe's.
        """

        def value(option: str) -> Any:
            override = getattr(overrides, option, None)
            return getattr(recipe, option) if override is None else override

        phases = value("phases")
        if phases:
            _check_lengths(recipe, phases)
        else:
            phases = (Phase(steps=recipe.steps, rates=value("rates")),)
        rate, decay = value("learning_rate"), value("weight_decay")
        scheduled: list[ScheduledPhase] = []
        for phase in phases:
            first = scheduled[-1].last if scheduled else 0
            scheduled.append(_scheduled(recipe, phase, first, rate, decay))
        return cls(tuple(scheduled), scheduled[-1].last, rate, decay)

    def at(self, done: int) -> ScheduledPhase:
        """Returns the phase of the step that follows `done` steps."""
        return self.phases[self.index(done)]

    def index(self, done: int) -> int:
        """Returns the index of the phase of the step that follows `done` steps."""
        return sum(phase.first <= done for phase in self.phases) - 1

    def shortened(self, index: int, done: int) -> MemberSchedule:
        """Returns the schedule in which a phase ends after `done` steps.

        The next phase begins there, and it and all later ones keep their number of steps. After the
        last phase the member is not trained any more.

        Args:
          index: Index of the phase.
          done: Number of steps done; the last of them is one of the phase.
        """
        earlier = self.phases[index].last - done
        later = [
            dataclasses.replace(phase, first=phase.first - earlier)
            for phase in self.phases[index + 1 :]
        ]
        phases = (*self.phases[: index + 1], *later)
        return dataclasses.replace(self, phases=phases, end=later[-1].last if later else done)

    def stopped(self, done: int) -> MemberSchedule:
        """Returns the schedule that ends after `done` steps, in whichever phase that is."""
        return dataclasses.replace(self, end=done)

    def check(self, params: Any) -> None:
        """Raises ConfigError where a phase does not fit the network or the optimiser.

        Args:
          params: Parameters of the network, or their shapes.
        """
        for phase in self.phases:
            phase.build_optimizer()
            phase.factors(params)


def _check_lengths(recipe: Recipe, phases: Sequence[Phase]) -> None:
    unit = "steps" if recipe.epochs is None else "epochs"
    lengths, length = [getattr(phase, unit) or 0 for phase in phases], getattr(recipe, unit)
    if sum(lengths) != length:
        raise ConfigError(
            f"the phases have {' + '.join(map(str, lengths))} = {sum(lengths)} {unit}, the recipe "
            f"{length}: make them equal"
        )


def _scheduled(
    recipe: Recipe, phase: Phase, first: int, rate: float, decay: float
) -> ScheduledPhase:
    name = phase.optimizer or recipe.optimizer
    kind = optim.KINDS.get(name)
    fields = dataclasses.fields(kind) if kind is not None else ()
    if phase.steps is None:
        raise ConfigError("a phase has no steps: set its steps, or its epochs and the recipe's")
    values = ((field.name, getattr(recipe, field.name)) for field in fields)
    return ScheduledPhase(
        first=first,
        steps=phase.steps,
        rates=phase.rates,
        optimizer=name,
        options=tuple((option, value) for option, value in values if value is not None),
        schedule=phase.schedule or recipe.schedule,
        warmup=recipe.warmup if phase.warmup is None else phase.warmup,
        batch_norm=recipe.batch_norm,
        learning_rate=rate if phase.learning_rate is None else phase.learning_rate,
        weight_decay=decay if phase.weight_decay is None else phase.weight_decay,
        patience=recipe.patience if phase.patience is None else phase.patience,
        select=phase.select or recipe.select,
    )
