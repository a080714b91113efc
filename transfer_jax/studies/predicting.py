"""What trained weights say about the images of a prepared data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from transfer_jax import models, weights
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import augment, pipeline, records, spec
from transfer_jax.data.task import Targets
from transfer_jax.losses import classification
from transfer_jax.weights import Card

_BATCH = 128


class Predictions(NamedTuple):
    """Probabilities of n images.

    Attributes:
      ids: names of the images, n.
      outputs: name of an output -> probabilities, [n]: a label's, or "label=class" of a multiclass task.
    """

    ids: list[str]
    outputs: dict[str, Float[np.ndarray, " n"]]


def predict(path: str, network: str, folder: Path, splits: Sequence[str]) -> Predictions:
    """The probabilities that saved weights give the images of some splits.

    Args:
      path: of weights with a head and a card, as a study leaves them.
      network: its name.
      folder: of the prepared data set.
      splits: of the data set.

    Raises:
      UserError: weights, network and data do not go together, or the card does not say what the outputs are.
    """
    loaded = weights.read(path, network)
    params = loaded.variables["params"]
    if models.HEAD not in params:
        raise ConfigError(f"{path} has no head: nothing can be predicted with it")
    outputs = int(jax.tree.leaves(params[models.HEAD])[0].shape[-1])
    kind, names = _outputs(loaded.card, outputs, path)
    channels = int(models.first_kernel(params).shape[2])
    manifest = spec.Manifest.read(folder)
    if manifest.channels > channels:
        raise ConfigError(f"{folder} has images of {manifest.channels} channels, the network takes {channels}")
    found, positions = records.open_splits(folder, manifest, splits)
    wanted = np.concatenate([positions[split] for split in splits])
    module = models.create(network, outputs, loaded.card.layout, **loaded.card.options)
    mesh = meshes.create()

    @jax.jit
    def scores(images: jax.Array) -> jax.Array:
        logits, _ = module.apply(loaded.variables, augment.normalise(images, loaded.card.normalisation, channels), train=False)
        return classification.scores(kind, logits)

    nothing = Targets(np.zeros((len(found), 1), np.float32), np.ones((len(found), 1), np.float32))
    batches = pipeline.EvalBatches(found, nothing, wanted, batch_size=_BATCH * mesh.size)
    given = [scores(meshes.put_batch(mesh, {"image": batch["image"]})["image"]) for batch in batches]
    table = np.concatenate([np.asarray(part) for part in given])[: len(wanted)]
    return Predictions(found.rows.ids[wanted].tolist(), {name: table[:, i] for i, name in enumerate(names)})


def _outputs(card: Card, count: int, path: str) -> tuple[str, list[str]]:
    """The kind of the task, and the outputs' names."""
    kind, _, text = card.task.partition(": ")
    labels = text.split(", ") if text else []
    if kind == "multiclass" and len(labels) == 1:
        return kind, [f"{labels[0]}={i}" for i in range(count)]
    if kind in ("binary", "multilabel") and len(labels) == count:
        return kind, labels
    raise ConfigError(f"{path}: its card does not say what its {count} outputs are ({card.task!r}): weights of a study with one output a label do")
