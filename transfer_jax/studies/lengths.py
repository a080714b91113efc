"""How long a study trains, in steps: what its recipes give in epochs depends on its data."""

from __future__ import annotations

from transfer_jax.data import partition
from transfer_jax.data.config import Data, PreparedFolder
from transfer_jax.data.dataset import Dataset
from transfer_jax.settings import Study
from transfer_jax.train.recipe import Recipe


def in_steps(study: Study, opened: Dataset | None, source_opened: Dataset | None) -> Study:
    """Returns the study with the lengths of all recipes and phases in steps.

    Args:
      study: The study.
      opened: Its data; None where they are a phantom that is not written yet, whose number of
        images per epoch is estimated from its options.
      source_opened: Data of a source that is to be trained, or None for the same reason.
    """
    images = images_per_epoch(study.data, study.recipe, opened, study)
    data, recipe = study.source.data, study.source.recipe
    if data is None or recipe is None:
        return study.in_steps(images, None)
    return study.in_steps(images, images_per_epoch(data, recipe, source_opened, study))


def images_per_epoch(data: Data, recipe: Recipe, opened: Dataset | None, study: Study) -> int:
    """Returns the number of images per epoch: the largest of all repeats, so that all train alike.

    Args:
      data: Options of a data set.
      recipe: How a network is trained on it.
      opened: The data set; None where it is a phantom that is not written yet.
      study: The study, for its repeats and its seed.
    """
    if opened is not None:
        repeats = range(min(study.repeats, len(opened.parts)))
        orders = (opened.training(r, recipe.batch_size, study.seed)[0] for r in repeats)
        return max(order.length for order in orders)
    phantom = data.selected()
    assert not isinstance(phantom, PreparedFolder)
    images = phantom.train
    if data.folds is not None:
        images = (phantom.train + phantom.val) * (data.folds - 1) // data.folds
        if data.held_out in (None, "test"):
            images -= round(images * partition.VAL_OF_TRAINING)
    return images if data.subset is None else data.subset
