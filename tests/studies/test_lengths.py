"""What studies in epochs come to in steps, and their mistakes, without training anything."""

import pytest

from transfer_jax import api, settings
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import dataset
from transfer_jax.runs import inputs
from transfer_jax.studies import lengths


def study(**changes):
    config = settings.template()
    config.devices, config.repeats = 1, 3
    config.data.update(phantom="fundus", size=32, train=40, val=20, labels=("grade",), threshold=2)
    config.recipe.update(epochs=4, batch_size=8, eval_every_epochs=2)
    config.arms = ("random",)
    for path, value in changes.items():
        section, _, name = path.partition("__")
        config[section][name] = value
    return settings.load(config)


def opened(study, folder):
    return dataset.open_data(study.data, inputs.image_spec(study, None), folder, study.seed)


def test_the_images_of_an_opened_data_set_count(tmp_path):
    for changes, images in [
        ({}, 40),
        ({"data__subset": 17}, 17),
        ({"data__folds": 4, "data__held_out": "both"}, 46),  # folds are even per class
    ]:
        small = study(**changes)
        data = opened(small, tmp_path)
        assert lengths.images_per_epoch(small.data, small.recipe, data, small) == images
        planned = lengths.in_steps(small, data, None)
        per_epoch = -(-images // 8)
        assert (planned.recipe.steps, planned.recipe.eval_every) == (4 * per_epoch, 2 * per_epoch)
        # A phantom that is not written yet has as many, as far as its options say.
        assert lengths.in_steps(small, None, None) == planned


def test_over_sampling_makes_an_epoch_longer(tmp_path):
    small = study(data__balance="over")
    data = opened(small, tmp_path)
    order, _ = data.training(0, 8, 0)
    assert lengths.images_per_epoch(small.data, small.recipe, data, small) == order.length > 40


def test_all_repeats_are_as_long_as_the_longest(tmp_path):
    small = study(data__folds=7)
    data = opened(small, tmp_path)
    sizes = [len(data.part(repeat).train) for repeat in range(7)]
    assert len(set(sizes)) > 1
    images = lengths.images_per_epoch(small.data, small.recipe, data, small)
    assert images == max(sizes[:3])


def test_phases_and_sources_are_in_epochs_too(tmp_path):
    config = settings.template()
    config.data.update(phantom="fundus", size=32, train=40, val=20, labels=("grade",), threshold=2)
    config.source.kind = "train"
    config.source.data.update(phantom="texture", size=32, train=30, val=20, labels=("texture",))
    config.source.data.task = "multiclass"
    config.source.recipe.update(epochs=3, batch_size=16)
    config.recipe.update(epochs=10, batch_size=8)
    phases = settings.head_first(4, 6, unit="epochs", patience=2, select="auc")
    config.arms = (settings.arm("pretrained", phases=phases),)
    planned = lengths.in_steps(settings.load(config), None, None)
    assert (planned.recipe.steps, planned.source.recipe.steps) == (50, 6)
    head, rest = planned.arms[0].phases
    assert (head.steps, head.patience, head.select, rest.steps) == (20, 2, "auc", 30)
    unfreezing = settings.gradual("cbr_tiny", 1, 2, unit="epochs")
    assert [phase.epochs for phase in unfreezing] == [1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe__warmup": 20}, r"warmup=20 must lie in 0\.\.19 \(steps=20\)"),
        ({"recipe__phases": ({"epochs": 3},)}, "the phases have 3 = 3 epochs, the recipe 4"),
    ],
)
def test_mistakes_in_epochs_are_found_before_anything_is_written(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        api.run(study(**changes), tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


def test_a_flag_in_steps_beside_epochs_is_an_error_at_its_default_too():
    config = settings.template()
    config.data.update(phantom="fundus", size=32, train=40, val=20, labels=("grade",), threshold=2)
    config.recipe.epochs = 4
    config.arms = ("random",)
    with pytest.raises(
        ConfigError, match=r"recipe\.steps=1000 and config\.recipe\.epochs=4 are both"
    ):
        settings.load(config, ["recipe.steps"])
    assert settings.load(config, ["recipe.epochs"]).recipe.epochs == 4
