"""What must hold between options, and what a study's network is."""

from __future__ import annotations

from typing import Any

from transfer_jax import inits, metrics, models
from transfer_jax.analysis import measures
from transfer_jax.core import normalisation, ranges
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import one_of
from transfer_jax.settings import similarity
from transfer_jax.settings.data_checks import check_data
from transfer_jax.settings.recipe_checks import check_phases, check_recipe
from transfer_jax.settings.study import Arm, Study


def network(
    study: Study, num_outputs: int, frozen: tuple[str, ...] = (), name: str | None = None
) -> Any:
    """Returns the study's network, a Flax module.

    Args:
      study: The study.
      num_outputs: Number of outputs of the head.
      frozen: Stages whose batch norms are frozen, where the study does not freeze all of them.
      name: Name of another network than the study's, made with the same options.

    Raises:
      ConfigError: An unknown network, or options that it does not have.
    """
    options = study.network_options
    return models.create(
        name or study.network,
        num_outputs,
        options.layout,
        widths=options.widths or None,
        dropout=options.dropout,
        momentum=options.momentum,
        epsilon=options.epsilon,
        frozen_batch_norm=options.frozen_batch_norm or frozen,
    )


def check(study: Study) -> None:
    """Raises ConfigError where a number is out of its range, or options contradict each other."""
    ranges.check(study, "config")
    models.stage_names(study.source.network or study.network)
    network(study, num_outputs=1)
    channels = study.network_options.channels
    if channels not in (1, 3):
        raise ConfigError(f"config.network_options.channels={channels} must be 1 or 3")
    if study.source.normalisation is not None:
        normalisation.named(study.source.normalisation)
    _names(study)
    for i, arm in enumerate(study.arms):
        _arm(study, arm, f"config.arms[{i}]")
    _source(study)
    check_data("data", study.data)
    if study.data.folds is not None and study.repeats > study.data.folds:
        raise ConfigError(
            f"config.repeats={study.repeats} is more than config.data.folds={study.data.folds}: "
            "every repeat is judged by a fold of its own"
        )
    check_recipe("recipe", study.recipe, study.evaluated_metrics)
    _metrics(study)
    study.evaluation.check(study.data.task)
    one_of("config.similarity.measure", study.similarity.measure, measures.MEASURES)
    one_of("config.similarity.weights", study.similarity.weights, similarity.WEIGHTS)


def _names(study: Study) -> None:
    """Checks the names of the arms, which become folders."""
    if not study.arms:
        raise ConfigError(
            "config.arms is empty: a study needs at least one arm, "
            "e.g. --config.arms=\"('random',)\""
        )
    names = [arm.name for arm in study.arms]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two arms are named {name!r}: give one of them another name")
        if not name.replace("_", "").replace("-", "").replace(".", "").isalnum():
            raise ConfigError(
                f"arm name {name!r} becomes a folder: letters, digits, '_', '-' and '.' only"
            )


def _arm(study: Study, arm: Arm, where: str) -> None:
    if arm.upto is not None:
        models.upto(models.stage_table(study.network), arm.upto)
    try:
        inits.check(arm.init, **arm.options())
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    phases = study.recipe.phases if arm.phases is None else arm.phases
    if arm.rates is not None and phases:
        raise ConfigError(
            f"{where}.rates is read where there are no phases, and each phase has its own: take "
            "it out, or give the arm phases=()"
        )
    if arm.phases is not None:
        place = f"{where.removeprefix('config.')}.phases"
        check_phases(place, study.recipe, arm.phases, study.evaluated_metrics)


def _source(study: Study) -> None:
    """Checks that the source is needed, and that what needs one has it."""
    source = study.source
    needing = [arm for arm in study.arms if inits.needs_source(arm.init, **arm.options())]
    if source.kind == "none" and needing:
        raise ConfigError(
            f"arm {needing[0].name!r} begins from pretrained weights, but config.source.kind is "
            "'none': set it to 'train' or 'weights'"
        )
    if source.kind != "none" and not needing:
        raise ConfigError(
            f"config.source.kind is {source.kind!r}, but no arm begins from pretrained weights: "
            "set it to 'none', or add such an arm"
        )
    if source.data is not None:
        check_data("source.data", source.data)
        if source.data.folds is not None:
            raise ConfigError("config.source.data.folds is read by no source: take it out")
    if source.recipe is not None:
        check_recipe("source.recipe", source.recipe, study.evaluated_metrics)
    if source.take is not None:
        one_of("config.source.take", source.take, ("last", "best"))


def _metrics(study: Study) -> None:
    """Checks that the metrics are known, and that the task has them."""
    for i, name in enumerate(study.metrics):
        one_of(f"config.metrics[{i}]", name, metrics.METRICS)
        if name in metrics.OF_CLASSES and study.data.task != "multiclass":
            raise ConfigError(
                f"config.metrics: {name!r} is a metric of multiclass tasks, and config.data.task "
                f"is {study.data.task!r}: take it out, or change the task"
            )
