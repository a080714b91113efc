"""A study's source: pretrained variables, from a file or from a training of its own."""

from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from transfer_jax import models, weights
from transfer_jax.core import rng
from transfer_jax.settings import Recipe, Study
from transfer_jax.studies import datasets, session
from transfer_jax.studies.results import History

NAME = "source"


def obtain(study: Study, workdir: Path, mesh: Mesh) -> tuple[Any, History]:
    """The source's variables (None for kind "none") and the history of its training (empty where there was none).

    Raises:
      CheckpointError: saved weights are missing or of another network.
      DataError: the source's data are missing or damaged.
      Interrupted: the user stopped its training; it is saved.
    """
    if study.source.kind == "none":
        return None, []
    if study.source.kind == "weights":
        assert study.source.path is not None
        return weights.load(study.source.path, study.network), []
    assert study.source.data is not None and study.source.recipe is not None
    opened = datasets.open_data(study.source.data, workdir, study.seed)
    key = rng.stream(jax.random.key(study.seed), NAME)
    plan = session.Plan(
        name=NAME,
        repeat=0,
        variables=initial(study.network, opened, rng.stream(key, "init")),
        key=rng.stream(key, "train"),
        learning_rate=study.source.recipe.learning_rate,
        weight_decay=study.source.recipe.weight_decay,
        facts=facts(study.network, opened, study.source.recipe),
    )
    # One seed more than the targets', so that a source and a target on the same images do not share their order.
    outcome = session.train("source", workdir / NAME, study.network, opened, study.source.recipe, [plan], seed=study.seed + 1, mesh=mesh)
    variables = outcome.variables[NAME]
    if jax.process_index() == 0:
        weights.save(workdir / NAME / "weights", variables)
    return variables, outcome.history


def initial(network: str, opened: datasets.Opened, key: jax.Array) -> Any:
    """Freshly drawn variables of the network with a head for the task."""
    module = models.create(network, opened.task.num_outputs)
    images = jax.ShapeDtypeStruct((1, opened.manifest.height, opened.manifest.width, 3), "float32")
    return jax.jit(lambda k: module.init(k, jax.numpy.zeros(images.shape, images.dtype), train=False))(key)


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
