import dataclasses
import re
from pathlib import Path

import pytest
from ml_collections import config_dict

from transfer_jax import settings
from transfer_jax.core.errors import ConfigError

PACKAGE = Path(settings.__file__).parent.parent


def valid():
    config = settings.template()
    config.data.update(phantom="fundus", size=32, train=10, val=10, labels=("grade",))
    config.arms = ("random",)
    return config


def test_the_template_becomes_frozen_settings():
    study = settings.load(valid())
    assert study.arms == (settings.Arm(name="random"),)
    assert study.source == settings.Source()
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.seed = 1


def test_sections_of_another_kind_are_left_out():
    config = valid()
    config.source.recipe.steps = 7
    assert settings.load(config).source.recipe is None
    config.source.kind = "train"
    config.source.data.update(phantom="texture", size=32, train=10, val=10, labels=("texture",))
    config.arms = ("pretrained",)
    assert settings.load(config).source.recipe.steps == 7


def test_arms_in_short():
    config = valid()
    config.network, config.source.kind, config.source.path = "resnet18", "weights", "w"
    config.arms = ("transfusion:block2", {"name": "x", "init": "pretrained", "learning_rate": 1})
    assert settings.load(config).arms == (
        settings.Arm(name="transfusion_block2", init="transfusion", upto="block2"),
        settings.Arm(name="x", init="pretrained", learning_rate=1.0),
    )


def broken(change):
    # Types as a file's own ConfigDict may have them: the template's would refuse some of these by themselves.
    config = config_dict.ConfigDict(config_dict.ConfigDict(valid()).to_dict(), type_safe=False)
    change(config)
    return config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.recipe.update(learning_rat=1.0), "unknown option config.recipe.learning_rat: did you mean 'learning_rate'?"),
        (lambda c: c.update(arms=({"name": "a", "int": "random"},)), "unknown option config.arms[0].int: did you mean 'init'?"),
        (lambda c: c.update(arms=({"init": "random"},)), "config.arms[0].name must be set"),
        (lambda c: c.update(arms=(3,)), "config.arms[0] must be a section of options, not 3"),
        (lambda c: c.update(arms=()), "config.arms is empty"),
        (lambda c: c.update(arms=("random", "random")), "two arms are named 'random'"),
        (lambda c: c.update(arms=({"name": "a/b"},)), "becomes a folder"),
        (lambda c: c.update(arms=("randm",)), "unknown config.arms[0].init='randm': did you mean 'random'?"),
        (
            lambda c: c.update(arms=("transfusion",), source={"kind": "weights", "path": "x"}),
            "config.arms[0].upto must be set for init='transfusion'",
        ),
        (lambda c: c.update(arms=("transfusion:conv7",), source={"kind": "weights", "path": "x"}), "no stage 'conv7'"),
        (lambda c: c.update(arms=("random:conv1",)), "config.arms[0].upto is read by init='transfusion' only, not by 'random'"),
        (lambda c: c.update(arms=("pretrained",)), "arm 'pretrained' begins from pretrained weights, but config.source.kind is 'none'"),
        (lambda c: c.update(source={"kind": "weights", "path": "x"}), "but no arm begins from pretrained weights"),
        (lambda c: c.update(source={"kind": "weights"}), "config.source.path must be set for kind='weights'"),
        (lambda c: c.update(network="resnet5"), "unknown network 'resnet5': did you mean 'resnet50'?"),
        (lambda c: c.update(seed=-1), "config.seed=-1 must not be negative"),
        (lambda c: c.data.augment.update(shift=-1), "shift=-1"),
        (lambda c: c.update(arms=({"name": "a", "weight_decay": -0.1},)), "config.arms[0].weight_decay=-0.1 must not be negative"),
        (lambda c: c.update(repeats=0), "config.repeats=0 must be positive"),
        (lambda c: c.update(repeats=True), "config.repeats must be a whole number, not True"),
        (lambda c: c.update(threshold_auc=91.0), "config.threshold_auc=91.0 must lie between 0.5 and 1"),
        (lambda c: c.recipe.update(steps="many"), "config.recipe.steps must be a whole number, not 'many'"),
        (lambda c: c.recipe.update(momentum=0.9), "config.recipe.momentum is read by optimizer='sgd' only, not by 'adam'"),
        (lambda c: c.recipe.update(optimizer="adamw"), "unknown config.recipe.optimizer='adamw': did you mean 'adam'?"),
        (lambda c: c.recipe.update(learning_rate=0), "config.recipe.learning_rate=0.0 must be positive"),
        (lambda c: c.data.update(path="x"), "config.data.path is read by kind='records' only, not by 'phantom'"),
        (lambda c: c.data.update(size=None), "config.data.size must be set for kind='phantom'"),
        (lambda c: c.data.update(labels="grade"), "config.data.labels must be a tuple, not 'grade'"),
        (lambda c: c.data.augment.update(flip=1), "config.data.augment.flip must be True or False, not 1"),
        (lambda c: c.data.update(task="multiclass", threshold=2), "config.data.threshold is read by task='binary' only"),
        (lambda c: c.__setitem__("data", 4), "config.data must be a section of options, not 4"),
    ],
)
def test_mistakes_are_named_with_their_place(change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        settings.load(broken(change))


def test_an_option_set_by_a_flag_must_be_read():
    settings.load(valid(), ["recipe.steps", "seed"])
    with pytest.raises(ConfigError, match=r"--config\.source\.recipe\.steps is set, but nothing reads it"):
        settings.load(valid(), ["source.recipe.steps"])


def test_every_option_is_read_somewhere():
    code = "\n".join(p.read_text() for p in PACKAGE.rglob("*.py") if p.name != "sections.py")
    for section in (settings.Study, settings.NetworkOptions, settings.Data, settings.Recipe, settings.Source, settings.Arm):
        for field in dataclasses.fields(section):
            by_name = f'"{field.name}"' in code  # options handed on by name: an optimiser's, an initialiser's
            assert re.search(rf"\.{field.name}\b", code) or by_name, f"{section.__name__}.{field.name} is never read"
