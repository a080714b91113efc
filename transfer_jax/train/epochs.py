"""Lengths that a recipe gives in epochs, as numbers of steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from transfer_jax.train.recipe import Phase, Recipe


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Returns the number of steps per epoch: the images in batches, rounded up.

    That is the number of steps that an epoch has in Keras and PyTorch, whose last batch is smaller
    where the images do not divide evenly. Here all batches are whole and the last one of an epoch
    ends in the next (`data.order`), so that as many steps show up to a batch more per epoch.

    Args:
      images: Number of images per epoch.
      batch_size: Number of images per step.
    """
    return -(-images // batch_size)


def in_steps(recipe: Recipe, images: int) -> Recipe:
    """Returns the recipe with `steps`, `eval_every` and phases in steps, whatever they were in.

    What it has in epochs stays beside them, so that both can be shown.

    Args:
      recipe: The recipe.
      images: Number of images per epoch.
    """
    per_epoch = steps_per_epoch(images, recipe.batch_size)
    evaluations = recipe.eval_every_epochs
    return dataclasses.replace(
        recipe,
        steps=recipe.steps if recipe.epochs is None else recipe.epochs * per_epoch,
        eval_every=recipe.eval_every if evaluations is None else evaluations * per_epoch,
        phases=phases_in_steps(recipe.phases, per_epoch),
    )


def phases_in_steps(phases: Iterable[Phase], per_epoch: int) -> tuple[Phase, ...]:
    """Returns phases with their lengths in steps.

    Args:
      phases: Phases of a recipe or of an arm.
      per_epoch: Number of steps per epoch.
    """
    return tuple(
        phase
        if phase.epochs is None
        else dataclasses.replace(phase, steps=phase.epochs * per_epoch)
        for phase in phases
    )
