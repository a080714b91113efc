import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.train import epochs
from transfer_jax.train.recipe import Phase, Recipe
from transfer_jax.train.schedule import MemberSchedule


@pytest.mark.parametrize(("images", "steps"), [(32, 4), (33, 5), (39, 5), (40, 5), (8, 1)])
def test_an_epoch_is_as_many_batches_as_the_images_need(images, steps):
    assert epochs.steps_per_epoch(images, 8) == steps


def test_a_recipe_in_epochs_gives_one_in_steps_and_keeps_the_epochs():
    phases = (Phase(epochs=2, patience=1), Phase(epochs=8, warmup=3))
    recipe = Recipe(epochs=10, eval_every_epochs=2, batch_size=8, phases=phases)
    planned = epochs.in_steps(recipe, 33)
    assert (planned.steps, planned.epochs, planned.eval_every) == (50, 10, 10)
    assert [(phase.steps, phase.epochs) for phase in planned.phases] == [(10, 2), (40, 8)]
    assert planned.described() == "50 steps (10 epochs)"
    assert epochs.in_steps(planned, 33) == planned
    assert [phase.first for phase in MemberSchedule.of(planned).phases] == [0, 10]


def test_a_recipe_in_steps_stays_as_it_is():
    recipe = Recipe(steps=7, eval_every=3, phases=(Phase(steps=3), Phase(steps=4)))
    assert epochs.in_steps(recipe, 33) == recipe
    assert recipe.described() == "7 steps"


def test_phases_in_epochs_must_add_up():
    recipe = Recipe(epochs=4, phases=(Phase(epochs=1), Phase(epochs=2)))
    with pytest.raises(ConfigError, match=r"phases have 1 \+ 2 = 3 epochs, the recipe 4"):
        MemberSchedule.of(epochs.in_steps(recipe, 100))
    with pytest.raises(ConfigError, match="a phase has no steps"):
        MemberSchedule.of(Recipe(epochs=1, phases=(Phase(epochs=1),)))
