"""What must hold between options, and what a study's network is."""

from __future__ import annotations

from typing import Any

from transfer_jax import inits, models
from transfer_jax.core import normalisation
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.data import augment, modes, sampling, task
from transfer_jax.optim.rates import ALL
from transfer_jax.settings import ranges
from transfer_jax.settings.sections import Data, Recipe, Study


def network(study: Study, num_outputs: int, frozen: tuple[str, ...] = (), name: str | None = None) -> Any:
    """The study's network, a Flax module.

    Args:
      study: it belongs to.
      num_outputs: of its head.
      frozen: stages whose batch norms are frozen, where the study does not freeze all of them.
      name: of another network than the study's, with the same options.

    Raises:
      ConfigError: an unknown network, or options that it does not take.
    """
    chosen = study.network_options
    return models.create(
        name or study.network,
        num_outputs,
        chosen.layout,
        widths=chosen.widths or None,
        dropout=chosen.dropout,
        momentum=chosen.momentum,
        epsilon=chosen.epsilon,
        frozen_batch_norm=chosen.frozen_batch_norm or frozen,
    )


def check(study: Study) -> None:
    """Raises ConfigError where a number is out of its range, or options do not go together."""
    ranges.check(study)
    models.stage_names(study.network if study.source.network is None else study.source.network)
    network(study, num_outputs=1)
    if study.network_options.channels not in (1, 3):
        raise ConfigError(f"config.network_options.channels={study.network_options.channels} must be 1 or 3")
    if study.source.normalisation is not None:
        normalisation.named(study.source.normalisation)
    if not study.arms:
        raise ConfigError("config.arms is empty: a study needs at least one arm, e.g. --config.arms=\"('random',)\"")
    names = [a.name for a in study.arms]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two arms are named {name!r}: give one of them another name")
        if not name.replace("_", "").replace("-", "").replace(".", "").isalnum():
            raise ConfigError(f"arm name {name!r} becomes a folder: letters, digits, '_', '-' and '.' only")
    begin_from_source = [inits.needs_source(chosen.init, **chosen.options()) for chosen in study.arms]
    for i, chosen in enumerate(study.arms):
        if chosen.upto is not None:
            models.upto(models.stage_table(study.network), chosen.upto)
        try:
            inits.check(chosen.init, **chosen.options())
        except ConfigError as error:
            raise ConfigError(f"config.arms[{i}]: {error}") from None
        if chosen.rates is not None and (study.recipe.phases if chosen.phases is None else chosen.phases):
            raise ConfigError(
                f"config.arms[{i}].rates is read where there are no phases, and each phase has its own: take it out, or give the arm phases=()"
            )
        if study.source.kind == "none" and begin_from_source[i]:
            raise ConfigError(f"arm {chosen.name!r} begins from pretrained weights, but config.source.kind is 'none': set it to 'train' or 'weights'")
    if study.source.kind != "none" and not any(begin_from_source):
        raise ConfigError(
            f"config.source.kind is {study.source.kind!r}, but no arm begins from pretrained weights: set it to 'none', or add such an arm"
        )
    _data("data", study.data)
    if study.source.data is not None:
        _data("source.data", study.source.data)
        if study.source.data.folds is not None:
            raise ConfigError("config.source.data.folds is read by no source, which is trained once: take it out")
    if study.data.folds is not None and study.repeats > study.data.folds:
        raise ConfigError(
            f"config.repeats={study.repeats} is more than config.data.folds={study.data.folds}: every repeat is judged by a fold of its own"
        )
    for where, recipe in (("recipe", study.recipe), ("source.recipe", study.source.recipe)):
        if recipe is not None:
            _recipe(where, recipe)
    if study.source.take not in (None, "last", "best"):
        raise ConfigError(f"unknown config.source.take={study.source.take!r}: {nearest(study.source.take, ('last', 'best'))}")


def _recipe(where: str, recipe: Recipe) -> None:
    """Raises ConfigError where options of a recipe do not go together."""
    if recipe.phases and recipe.rates != ALL:
        raise ConfigError(f"config.{where}.rates is read where there are no phases, and each phase has rates of its own: set one of them")
    for option, known in (
        ("batch_norm", ("frozen", "moving")),
        ("on_divergence", ("stop", "continue")),
    ):
        value = getattr(recipe, option)
        if value not in known:
            raise ConfigError(f"unknown config.{where}.{option}={value!r}: {nearest(value, known)}")


def _data(where: str, data: Data) -> None:
    """Raises ConfigError where options of a data set do not go together."""
    if data.normalisation not in (None, normalisation.OWN):
        normalisation.named(data.normalisation)
    if data.threshold is not None and data.task != "binary":
        raise ConfigError(f"config.{where}.threshold is read by task='binary' only, not by {data.task!r}: take it out, or change config.{where}.task")
    for option, value, known in (("balance", data.balance, sampling.METHODS), ("mode", data.mode, (modes.AUTO, *modes.MODES))):
        if value not in known:
            raise ConfigError(f"unknown config.{where}.{option}={value!r}: {nearest(value, known)}")
    if data.balance in ("over", "under") and data.task == "multilabel":
        raise ConfigError(f"config.{where}.balance={data.balance!r} needs one label; for a multilabel task choose 'weights'")
    if data.preset is not None:
        augment.preset(data.preset)
        if data.augment != augment.Augmentation():
            raise ConfigError(f"config.{where}.preset and config.{where}.augment are both set: choose one")
    policies = task.policies(data.labels, data.uncertain)
    if ("self_trained" in policies) != (data.predictions is not None):
        raise ConfigError(f"config.{where}.predictions (a table of tools.predict) and the policy 'self_trained' need each other: set both or neither")
