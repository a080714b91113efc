import dataclasses
import re
import typing
from pathlib import Path

import pytest
from ml_collections import config_dict

from transfer_jax import settings
from transfer_jax.core import options, ranges
from transfer_jax.core.errors import ConfigError
from transfer_jax.settings import loading

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


def with_arms(*arms):
    config = valid()
    config.source.kind, config.source.path = "weights", "w"
    config.arms = arms
    return settings.load(config).arms


def test_each_initialiser_has_its_option_in_short():
    made = with_arms(
        "random:he_normal",
        "mean_var:pretrained",
        "resample:values",
        "gabor:pretrained",
        "transfusion:conv1+gabor:he",
    )
    assert made == (
        settings.Arm(name="random_he_normal", init="random", scheme="he_normal"),
        settings.Arm(name="mean_var_pretrained", init="mean_var", batch_norm="pretrained"),
        settings.Arm(name="resample_values", init="resample", keep="values"),
        settings.Arm(name="gabor_pretrained", init="gabor", scale="pretrained"),
        settings.Arm(
            name="transfusion_conv1_gabor_he", init="transfusion+gabor", upto="conv1", scale="he"
        ),
    )


def test_arms_are_named_after_their_initialisers_and_options():
    assert (
        settings.arm("mean_var", distribution="truncated", batch_norm="own", learning_rate=0.1).name
        == "mean_var_own_truncated"
    )
    assert (
        settings.arm("resample+transfusion", upto="conv1", keep="scale").name
        == "resample_scale_transfusion_conv1"
    )
    assert settings.arm("gabor", name="mine").name == "mine"
    (arm,) = with_arms(settings.arm("resample+gabor", keep="scale", batch_norm="mean_var"))
    assert arm.options() == {"keep": "scale", "batch_norm": "mean_var"}


def test_gabor_needs_a_source_for_the_pretrained_scale_only():
    config = valid()
    config.arms = ("gabor", "random:glorot_uniform")
    settings.load(config)
    config.arms = ("gabor:pretrained",)
    with pytest.raises(ConfigError, match="arm 'gabor_pretrained' begins from pretrained weights"):
        settings.load(config)
    config.source.kind, config.source.path = "weights", "w"
    config.arms = ("gabor",)
    with pytest.raises(ConfigError, match="but no arm begins from pretrained weights"):
        settings.load(config)


def broken(change):
    # Types as a file's own ConfigDict may have them: the template's would refuse some of these by
    # themselves.
    config = config_dict.ConfigDict(config_dict.ConfigDict(valid()).to_dict(), type_safe=False)
    change(config)
    return config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c.recipe.update(learning_rat=1.0),
            "unknown option config.recipe.learning_rat: did you mean 'learning_rate'?",
        ),
        (
            lambda c: c.update(arms=({"name": "a", "int": "random"},)),
            "unknown option config.arms[0].int: did you mean 'init'?",
        ),
        (lambda c: c.update(arms=({"init": "random"},)), "config.arms[0].name must be set"),
        (lambda c: c.update(arms=(3,)), "config.arms[0] must be a section of options, not 3"),
        (lambda c: c.update(arms=()), "config.arms is empty"),
        (lambda c: c.update(arms=("random", "random")), "two arms are named 'random'"),
        (lambda c: c.update(arms=({"name": "a/b"},)), "becomes a folder"),
        (
            lambda c: c.data.update(uncertain=("one",)),
            "unknown policy 'one' for uncertain labels: did you mean 'ones'?",
        ),
        (
            lambda c: c.data.update(uncertain=("self_trained",)),
            (
                "config.data.predictions (a table of tools.predict) and the policy 'self_trained'"
                " need each"
            ),
        ),
        (lambda c: c.data.update(predictions="p.csv"), "need each other: set both or neither"),
        (
            lambda c: c.data.update(balance="ower"),
            "unknown config.data.balance='ower': did you mean 'over'?",
        ),
        (
            lambda c: c.data.update(balance="over", task="multilabel", threshold=None),
            "config.data.balance='over' needs one label",
        ),
        (
            lambda c: c.data.update(mode="mapt"),
            "unknown config.data.mode='mapt': did you mean 'mapped'?",
        ),
        (lambda c: c.data.update(preset="juodelite"), "did you mean 'juodelyte'?"),
        (
            lambda c: c.data.update(preset="juodelyte", augment={"flip": True}),
            "config.data.preset and config.data.augment are both set: choose one",
        ),
        (lambda c: c.data.augment.update(zoom=2.0), "zoom=2.0"),
        (
            lambda c: c.update(repeats=9) or c.data.update(folds=3),
            "config.repeats=9 is more than config.data.folds=3",
        ),
        (
            lambda c: c.recipe.update(batch_norm="frozn"),
            "unknown config.recipe.batch_norm='frozn': did you mean 'frozen'?",
        ),
        (
            lambda c: c.recipe.update(rates=("all=2",), phases=({"steps": 5},)),
            "config.recipe.rates is read where there are no phases",
        ),
        (
            lambda c: (
                c.recipe.update(phases=({"steps": 5},))
                or c.update(arms=({"name": "a"}, {"name": "b", "rates": ("all=1",)}))
            ),
            "config.arms[1].rates is read where there are no phases",
        ),
        (
            lambda c: c.update(
                arms=({"name": "a", "rates": ("all=1",), "phases": ({"steps": 5},)},)
            ),
            "config.arms[0].rates is read where there are no",
        ),
        (
            lambda c: c.recipe.update(phases=({"step": 5},)),
            "unknown option config.recipe.phases[0].step: did you mean 'steps'?",
        ),
        (
            lambda c: c.recipe.update(phases=({"rates": ("all=1",)},)),
            "config.recipe.phases[0] has no length: set steps of it alone",
        ),
        (
            lambda c: c.recipe.update(phases=({"steps": 5, "epochs": 1},)),
            "config.recipe.phases[0] has steps and epochs: set steps of it alone",
        ),
        (
            lambda c: c.recipe.update(epochs=5, phases=({"epochs": 3}, {"steps": 2})),
            "config.recipe.phases[1] has steps: set epochs of it alone, as the recipe is in epochs",
        ),
        (
            lambda c: c.update(arms=({"name": "a", "phases": ({"epochs": 5},)},)),
            "config.arms[0].phases[0] has epochs: set steps of it alone",
        ),
        (
            lambda c: c.recipe.update(epochs=5, steps=70),
            "config.recipe.steps=70 and config.recipe.epochs=5 are both set",
        ),
        (
            lambda c: c.recipe.update(eval_every=5, eval_every_epochs=1),
            "config.recipe.eval_every=5 and config.recipe.eval_every_epochs=1 are both set",
        ),
        (
            lambda c: c.update(source=with_source(epochs=5, steps=70), arms=("pretrained",)),
            "config.source.recipe.steps=70 and config.source.recipe.epochs=5 are both set",
        ),
        (
            lambda c: c.recipe.update(select="acu"),
            "config.recipe.select='acu' is not evaluated: did you mean 'auc'?",
        ),
        (
            lambda c: c.recipe.update(select="train_loss"),
            "config.recipe.select='train_loss' is not evaluated",
        ),
        (
            lambda c: c.recipe.update(phases=({"steps": 5, "select": "auc"},)),
            "config.recipe.phases[0].select is read with a patience only",
        ),
        (
            lambda c: c.update(
                arms=({"name": "a", "phases": ({"steps": 5, "select": "acu", "patience": 1},)},)
            ),
            "config.arms[0].phases[0].select='acu' is not evaluated",
        ),
        (
            lambda c: c.source.update(take="best"),
            "config.source.take is read by kind='train' only",
        ),
        (
            lambda c: c.source.update(per_repeat=True),
            "config.source.per_repeat is read by kind='train' only",
        ),
        (
            lambda c: c.update(arms=("randm",)),
            "unknown config.arms[0].init='randm': did you mean 'random'?",
        ),
        (
            lambda c: c.update(arms=("transfusion",), source={"kind": "weights", "path": "x"}),
            "config.arms[0].upto must be set for init='transfusion'",
        ),
        (
            lambda c: c.update(
                arms=("transfusion:conv7",), source={"kind": "weights", "path": "x"}
            ),
            "no stage 'conv7'",
        ),
        (
            lambda c: c.update(arms=({"name": "a", "upto": "conv1"},)),
            (
                "config.arms[0].upto is read by init='transfusion' only, not by 'random': take it"
                " out, or change config.arms[0].init"
            ),
        ),
        (
            lambda c: c.update(
                arms=(
                    "random+gabor",
                    {
                        "name": "a",
                        "init": "transfusion+gabor",
                        "upto": "conv1",
                        "batch_norm": "own",
                    },
                )
            ),
            (
                "config.arms[1].batch_norm is read by init='mean_var' or 'resample' only, not by"
                " 'transfusion+gabor'"
            ),
        ),
        (
            lambda c: c.update(arms=("random", "random:he_norml")),
            "config.arms[1]: unknown scheme='he_norml': did you mean 'he_normal'?",
        ),
        (
            lambda c: c.update(arms=("mean_var+gabr",)),
            "unknown 'gabr' in config.arms[0].init='mean_var+gabr': did you mean 'gabor'?",
        ),
        (
            lambda c: c.update(arms=("transfusio:conv1",)),
            "unknown config.arms[0].init='transfusio': did you mean 'transfusion'?",
        ),
        (
            lambda c: c.update(arms=("resample",)),
            "config.arms[0].keep must be set for init='resample'",
        ),
        (
            lambda c: c.update(arms=("resample+gabor",)),
            "config.arms[0].keep must be set for init='resample+gabor'",
        ),
        (
            lambda c: c.update(arms=("pretrained:conv1",)),
            "'pretrained:conv1': nothing may follow 'pretrained'",
        ),
        (
            lambda c: c.update(arms=("pretrained",)),
            "arm 'pretrained' begins from pretrained weights, but config.source.kind is 'none'",
        ),
        (
            lambda c: c.update(source={"kind": "weights", "path": "x"}),
            "but no arm begins from pretrained weights",
        ),
        (
            lambda c: c.update(source={"kind": "weights"}),
            "config.source.path must be set for kind='weights'",
        ),
        (
            lambda c: c.update(network="resnet5"),
            "unknown network 'resnet5': did you mean 'resnet50'?",
        ),
        (lambda c: c.data.augment.update(shift=-1), "shift=-1"),
        (lambda c: c.update(repeats=True), "config.repeats must be a whole number, not True"),
        (
            lambda c: c.recipe.update(steps="many"),
            "config.recipe.steps must be a whole number, not 'many'",
        ),
        (
            lambda c: c.recipe.update(momentum=0.9),
            "config.recipe.momentum is read by optimizer='sgd' only, not by 'adam'",
        ),
        (
            lambda c: c.recipe.update(optimizer="adamw"),
            "unknown config.recipe.optimizer='adamw': did you mean 'adam'?",
        ),
        (
            lambda c: c.data.update(path="x"),
            "config.data.path is read by kind='records' only, not by 'phantom'",
        ),
        (lambda c: c.data.update(size=None), "config.data.size must be set for kind='phantom'"),
        (
            lambda c: c.data.update(labels="grade"),
            "config.data.labels must be a tuple, not 'grade'",
        ),
        (
            lambda c: c.data.augment.update(flip=1),
            "config.data.augment.flip must be True or False, not 1",
        ),
        (
            lambda c: c.data.update(task="multiclass", threshold=2),
            "config.data.threshold is read by task='binary' only",
        ),
        (lambda c: c.__setitem__("data", 4), "config.data must be a section of options, not 4"),
    ],
)
def test_mistakes_are_named_with_their_place(change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        settings.load(broken(change))


def test_an_arm_without_the_recipes_phases_may_have_rates():
    config = broken(
        lambda c: (
            c.recipe.update(phases=({"steps": 5},))
            or c.update(arms=({"name": "a", "rates": ("all=1",), "phases": ()},))
        )
    )
    assert settings.load(config).arms[0].phases == ()


def with_source(**recipe):
    return {
        "kind": "train",
        "data": {"phantom": "texture", "size": 32, "train": 10, "val": 10, "labels": ("texture",)},
        "recipe": recipe,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(seed=-1), "config.seed=-1 must not be negative"),
        (
            lambda c: c.update(seed=2**32),
            "config.seed=4294967296 must not be negative, nor above 4294967295",
        ),
        (lambda c: c.update(repeats=0), "config.repeats=0 must be positive"),
        (
            lambda c: c.update(threshold_auc=91.0),
            "config.threshold_auc=91.0 must lie between 0.5 and 1",
        ),
        (
            lambda c: c.update(metrics=("auc", "brie")),
            "unknown config.metrics[1]='brie': did you mean 'brier'?",
        ),
        (
            lambda c: c.update(metrics=("kappa",)),
            "'kappa' is a metric of multiclass tasks, and config.data.task is 'binary'",
        ),
        (
            lambda c: c.network_options.update(epsilon=0.0),
            "config.network_options.epsilon=0.0 must be positive",
        ),
        (
            lambda c: c.network_options.update(dropout=1.0),
            "config.network_options.dropout=1.0 must lie in [0, 1)",
        ),
        (
            lambda c: c.network_options.update(momentum=1.1),
            "config.network_options.momentum=1.1 must lie in [0, 1]",
        ),
        (lambda c: c.data.update(folds=1), "config.data.folds=1 must be at least 2"),
        (lambda c: c.data.update(subset=0), "config.data.subset=0 must be positive"),
        (lambda c: c.data.update(train=-3), "config.data.train=-3 must be positive"),
        (lambda c: c.recipe.update(patience=0), "config.recipe.patience=0 must be positive"),
        (
            lambda c: c.recipe.update(learning_rate=0),
            "config.recipe.learning_rate=0.0 must be positive",
        ),
        (
            lambda c: c.recipe.update(learning_rate=float("nan")),
            "config.recipe.learning_rate=nan must be a finite number",
        ),
        (
            lambda c: c.recipe.update(weight_decay=-1),
            "config.recipe.weight_decay=-1.0 must not be negative",
        ),
        (lambda c: c.recipe.update(warmup=-1), "config.recipe.warmup=-1 must not be negative"),
        (lambda c: c.recipe.update(b1=1.0), "config.recipe.b1=1.0 must lie in [0, 1)"),
        (lambda c: c.recipe.update(b2=-0.1), "config.recipe.b2=-0.1 must lie in [0, 1)"),
        (lambda c: c.recipe.update(epsilon=0.0), "config.recipe.epsilon=0.0 must be positive"),
        (
            lambda c: c.recipe.update(optimizer="sgd", momentum=1.5),
            "config.recipe.momentum=1.5 must lie in [0, 1)",
        ),
        (
            lambda c: c.recipe.update(phases=({"steps": 1}, {"steps": 0})),
            "config.recipe.phases[1].steps=0 must be positive",
        ),
        (
            lambda c: c.recipe.update(phases=({"steps": 1, "learning_rate": 0},)),
            "config.recipe.phases[0].learning_rate=0.0 must be positive",
        ),
        (
            lambda c: c.recipe.update(phases=({"steps": 1, "weight_decay": -1},)),
            "config.recipe.phases[0].weight_decay=-1.0 must not be negative",
        ),
        (
            lambda c: c.update(source=with_source(learning_rate=-1)),
            "config.source.recipe.learning_rate=-1.0 must be positive",
        ),
        (
            lambda c: c.update(source=with_source(phases=({"steps": 1, "warmup": -1},))),
            "config.source.recipe.phases[0].warmup=-1 must not be negative",
        ),
        (
            lambda c: c.update(arms=({"name": "a", "weight_decay": -0.1},)),
            "config.arms[0].weight_decay=-0.1 must not be negative",
        ),
        (
            lambda c: c.update(arms=({"name": "a", "phases": ({"steps": -1},)},)),
            "config.arms[0].phases[0].steps=-1 must be positive",
        ),
        (
            lambda c: c.update(arms=({"name": "a", "learning_rate": -1},)),
            "config.arms[0].learning_rate=-1.0 must not be negative",
        ),
    ],
)
def test_numbers_out_of_range_are_named_with_their_place(change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        settings.load(broken(change))


UNLIMITED = {
    "NetworkOptions": {"channels"},  # 1 or 3
    "Data": {"threshold"},
    "Study": {"devices"},  # as many as there are
}


@pytest.mark.parametrize(
    "section",
    [
        settings.Study,
        settings.NetworkOptions,
        settings.Data,
        settings.Recipe,
        settings.Phase,
        settings.Arm,
        settings.Similarity,
    ],
)
def test_the_type_of_every_number_holds_its_range(section):
    hints = typing.get_type_hints(section, include_extras=True)
    plain = typing.get_type_hints(section)
    numbers = {name for name in hints if options.without_none(plain[name]) in (int, float)}
    without = {name for name in numbers if ranges._range(hints[name]) is None}
    assert without == UNLIMITED.get(section.__name__, set())


def test_every_field_of_a_kind_is_an_option_of_its_section():
    assert set(loading._READ_BY) == {
        settings.Data, settings.Recipe, settings.Source, settings.Similarity, settings.Arm,
    }  # fmt: skip
    for section, choice in loading._READ_BY.items():
        fields = {field.name for field in dataclasses.fields(section)}
        for kind in choice.kinds.values():
            assert kind.names <= fields


def test_an_option_set_by_a_flag_must_be_read():
    settings.load(valid(), ["recipe.steps", "seed"])
    with pytest.raises(
        ConfigError, match=r"--config\.source\.recipe\.steps is set, but nothing reads it"
    ):
        settings.load(valid(), ["source.recipe.steps"])


def test_every_option_is_read_somewhere():
    code = "\n".join(
        p.read_text()
        for p in PACKAGE.rglob("*.py")
        if p.parent.name != "settings" or p.name in ("checks.py", "loading.py")
    )
    # What kinds read: an optimiser's fields, an initialiser's parameters.
    by_kind = {
        section: frozenset().union(*(kind.names for kind in choice.kinds.values()))
        for section, choice in loading._READ_BY.items()
    }
    for section in (
        settings.Study,
        settings.NetworkOptions,
        settings.Data,
        settings.Recipe,
        settings.Source,
        settings.Arm,
    ):
        for field in dataclasses.fields(section):
            by_name = section in by_kind and field.name in by_kind[section]
            assert by_name or re.search(rf"\.{field.name}\b", code), (
                f"{section.__name__}.{field.name} is never read"
            )
