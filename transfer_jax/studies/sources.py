"""A study's source: pretrained variables, from a file or from a training of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from transfer_jax import settings, weights
from transfer_jax.core import rng
from transfer_jax.core.errors import CheckpointError, DivergedError
from transfer_jax.settings import Recipe, Study
from transfer_jax.studies import cards, datasets, programs, session
from transfer_jax.studies.plan import Plan
from transfer_jax.studies.results import History
from transfer_jax.train import early_stop
from transfer_jax.weights import Card

NAME = "source"


class Pretrained(NamedTuple):
    """What arms begin from.

    Attributes:
      variables: without a head where they come from a file; None for a study without a source.
      card: of a file; None otherwise.
      history: of the source's own training.
    """

    variables: Any
    card: Card | None
    history: History


def pretrained_network(study: Study) -> str:
    """The name of the pretrained network: the study's own, or another one."""
    return study.network if study.source.network is None else study.source.network


def from_file(study: Study) -> Pretrained | None:
    """The weights of a source of kind "weights", None for other kinds.

    Raises:
      CheckpointError: the file is missing, damaged or dangerous, of another network or layout.
    """
    source, wanted = study.source, study.network_options
    if source.kind != "weights":
        return None
    assert source.path is not None
    shapes: dict[str, Any] = {"widths": wanted.widths} if wanted.widths and source.network is None else {}
    loaded = weights.read(
        source.path,
        pretrained_network(study),
        head=False,
        channels=wanted.channels,
        cast=bool(source.cast),
        normalisation=source.normalisation,
        state=source.state,
        prefix=source.prefix,
        **shapes,
    )
    if loaded.card.layout != wanted.layout:
        raise CheckpointError(
            f"{source.path} holds weights of the layout {loaded.card.layout!r}, the study's network has {wanted.layout!r}: "
            f"set config.network_options.layout={loaded.card.layout}"
        )
    return Pretrained(loaded.variables, loaded.card, [])


def needs(study: Study, found: Pretrained | None) -> datasets.Needs:
    """What the study's network asks of its images."""
    asked = found.card.normalisation if found is not None and found.card is not None else None
    return datasets.Needs(study.network, study.network_options.channels, asked)


def own_needs(study: Study) -> datasets.Needs:
    """What the network of a source that is to be trained asks of its images."""
    return datasets.Needs(pretrained_network(study), study.network_options.channels)


def open_data(study: Study, workdir: Path) -> datasets.Opened | None:
    """Opens the data of a source of kind "train"; returns None for other kinds.

    Raises:
      DataError: The data are missing or damaged.
    """
    if study.source.kind != "train":
        return None
    assert study.source.data is not None
    return datasets.open_data(study.source.data, own_needs(study), workdir, study.seed)


def obtain(study: Study, workdir: Path, mesh: Mesh, opened: datasets.Opened | None = None) -> Pretrained:
    """Trains a source of kind "train", or goes on where that stopped.

    Args:
      study: it belongs to.
      workdir: of the study.
      mesh: the devices.
      opened: the source's data, where they are opened already.

    Raises:
      DataError: The source's data are missing or damaged.
      DivergedError: The source's training diverged.
      Interrupted: The user stopped its training; it is saved.
    """
    if study.source.kind == "none":
        return Pretrained(None, None, [])
    assert study.source.data is not None and study.source.recipe is not None
    recipe, name = study.source.recipe, pretrained_network(study)
    opened = opened or open_data(study, workdir)
    assert opened is not None
    key = rng.stream(jax.random.key(study.seed), NAME)
    plan = Plan(
        name=NAME,
        repeat=0,
        variables=initial(study, opened, rng.stream(key, "init"), name),
        key=rng.stream(key, "train"),
        course=programs.course(recipe),
        facts=facts(name, opened, recipe),
    )
    # One seed more than the targets', so that a source and a target on the same images do not share their order.
    make = functools.partial(settings.network, study, opened.task.num_outputs, name=name)
    outcome = session.train("source", workdir / NAME, make, opened, recipe, [plan], seed=study.seed + 1, mesh=mesh)
    diverged = early_stop.diverged(outcome.history)
    if diverged:
        raise DivergedError(
            f"the source diverged at step {diverged[NAME]} of {recipe.steps}: its loss, parameters or "
            "predictions are not finite, so that no arm can begin from it; lower "
            f"config.source.recipe.learning_rate (now {recipe.learning_rate:g}) and give a new workdir"
        )
    best = early_stop.best(outcome.history)
    taken, entry = (outcome.best[NAME], best) if study.source.take == "best" else (outcome.variables[NAME], outcome.history[-1])
    if jax.process_index() == 0:
        weights.save(workdir / NAME / "weights", taken, cards.card(study, opened, plan.facts, entry, name))
    return Pretrained(taken, None, outcome.history)


def initial(study: Study, opened: datasets.Opened, key: jax.Array, network: str | None = None) -> Any:
    """Freshly drawn variables of the network (the study's, or another) with a head for the task."""
    return _drawing(study, opened.task.num_outputs, (1, opened.manifest.height, opened.manifest.width, opened.channels), network)(key)


@functools.lru_cache(maxsize=4)
def _drawing(study: Study, outputs: int, images: tuple[int, ...], network: str | None) -> Callable[[jax.Array], Any]:
    """Compiled once for all repeats: that takes seconds."""
    module = settings.network(study, outputs, name=network)
    return jax.jit(lambda key: module.init(key, jax.numpy.zeros(images), train=False))


def facts(network: str, opened: datasets.Opened, recipe: Recipe) -> dict[str, Any]:
    """What a training is, in words and numbers."""
    return {
        "network": network,
        "data": opened.manifest.name,
        "task": f"{opened.task.kind} {' '.join(opened.task.labels)}",
        "optimizer": recipe.optimizer,
        "batch_size": recipe.batch_size,
        "steps": recipe.steps,
    }
