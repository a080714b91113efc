"""What must hold between the options of a recipe, and what its evaluations have to offer."""

from __future__ import annotations

from collections.abc import Sequence

from transfer_jax import metrics, objectives
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest, one_of
from transfer_jax.optim.rates import ALL
from transfer_jax.train.recipe import BATCH_NORM, LOSS, ON_DIVERGENCE, Phase, Recipe

# Options of a recipe in steps -> the same in epochs.
IN_EPOCHS = {"steps": "epochs", "eval_every": "eval_every_epochs"}


def check_recipe(where: str, recipe: Recipe, evaluated: Sequence[str]) -> None:
    """Raises ConfigError where options of a recipe contradict each other."""
    if recipe.phases and recipe.rates != ALL:
        raise ConfigError(
            f"config.{where}.rates is read where there are no phases, and each phase has rates of "
            "its own: set one of them"
        )
    for option, instead in IN_EPOCHS.items():
        if getattr(recipe, option) != getattr(Recipe(), option):
            not_both(recipe, f"config.{where}", option, instead)
    one_of(f"config.{where}.objective", recipe.objective, objectives.OBJECTIVES)
    one_of(f"config.{where}.batch_norm", recipe.batch_norm, BATCH_NORM)
    one_of(f"config.{where}.on_divergence", recipe.on_divergence, ON_DIVERGENCE)
    _selected(f"config.{where}.select", recipe.select, evaluated)
    check_phases(f"{where}.phases", recipe, recipe.phases, evaluated)


def not_both(recipe: Recipe, where: str, option: str, instead: str) -> None:
    """Raises ConfigError where an option of a recipe is set and the one in epochs, too."""
    epochs = getattr(recipe, instead)
    if epochs is not None:
        raise ConfigError(
            f"{where}.{option}={getattr(recipe, option)} and {where}.{instead}={epochs} are both "
            "set: take one of them out"
        )


def check_phases(
    where: str, recipe: Recipe, phases: tuple[Phase, ...], evaluated: Sequence[str]
) -> None:
    """Raises ConfigError where the phases of a recipe or of an arm do not fit the recipe."""
    unit = "steps" if recipe.epochs is None else "epochs"
    for i, phase in enumerate(phases):
        lengths = [name for name in ("steps", "epochs") if getattr(phase, name) is not None]
        if lengths != [unit]:
            has = " and ".join(lengths) or "no length"
            raise ConfigError(
                f"config.{where}[{i}] has {has}: set {unit} of it alone, as the recipe is in {unit}"
            )
        if phase.select is None:
            continue
        _selected(f"config.{where}[{i}].select", phase.select, evaluated)
        if phase.patience is None and recipe.patience is None:
            raise ConfigError(
                f"config.{where}[{i}].select is read with a patience only: set patience of this "
                "phase or of the recipe, or take it out"
            )


def _selected(option: str, select: str, evaluated: Sequence[str]) -> None:
    """Checks that a metric is evaluated during training.

    Which labels it has is known with the data only, see `early_stop.check`.
    """
    metric, known = select.partition("/")[0], (LOSS, *evaluated)
    if metric in known:
        return
    hint = nearest(metric, known)
    if metric in metrics.METRICS:
        hint = f"add {metric!r} to config.metrics"
    raise ConfigError(f"{option}={select!r} is not evaluated: {hint}")
