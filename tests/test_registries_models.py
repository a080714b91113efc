"""Adding a network or an initialiser is a file and a registry line.

As in test_registries.py, each test writes the file into a temporary package, adds the line, and
uses the result through the program's own code.
"""

import csv
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import api, inits, models
from transfer_jax.core.errors import ConfigError
from transfer_jax.inits import initialisers, signatures
from transfer_jax.models import zoo
from transfer_jax.weights import naming

NETWORK = '''
"""Two convolutions."""

from collections import OrderedDict

from flax import linen as nn

from transfer_jax.models.layers import Conv
from transfer_jax.models.network import Network, NetworkSpec


class Pair(Network, kw_only=True):
    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, images, train):
        x, stages = images, OrderedDict()
        for stage, width in zip(("low", "high"), self.widths):
            x = Conv(width, 3, 2, name=f"{stage}_conv")(x)
            x = nn.relu(self.norm(name=f"{stage}_bn")(x, self.trains(stage, train)))
            stages[stage] = x
        return self.head(x, train), stages


def build(*, layout, **parts):
    return Pair(**parts)


SPECS = {
    "pair": NetworkSpec(
        build=build,
        stages={stage: (f"{stage}_conv", f"{stage}_bn") for stage in ("low", "high")},
        family="pair",
        widths=(4, 8),
        least_side=16,
    )
}
'''

INITIALISER = '''
"""Every tensor of the network times a factor."""

from typing import Annotated

import jax

from transfer_jax.inits.signatures import Words, check_words

FACTORS = {"half": 0.5, "double": 2.0}


@check_words
def scaled(
    key,
    variables,
    source=None,
    *,
    scale: Annotated[str, Words(tuple(FACTORS))],
):
    params = jax.tree.map(lambda x: x * FACTORS[scale], variables["params"])
    return {**variables, "params": params}
'''


@pytest.fixture
def network(package, monkeypatch):
    """The name of a new network of two stages."""
    monkeypatch.setitem(zoo.NETWORKS, "pair", package("pair", NETWORK))
    return "pair"


@pytest.fixture
def initialiser(package, monkeypatch):
    """The name of a new initialiser.

    `CHOICE`, which settings read, was computed from the registry before its new line was added.
    """
    function = importlib.import_module(package("scaled", INITIALISER)).scaled
    monkeypatch.setitem(initialisers.INITIALISERS, "scaled", function)
    monkeypatch.setitem(inits.CHOICE.kinds, "scaled", signatures.reads(function))
    return "scaled"


def equal(a, b):
    return jax.tree.all(jax.tree.map(lambda x, y: bool((x == y).all()), a, b))


def test_a_network_is_created_initialised_frozen_and_cut_at_its_stages(network):
    assert network in models.names()
    assert models.stage_names(network) == ("low", "high")
    assert (models.layouts(network), models.least_side(network)) == (("torchvision",), 16)
    module = models.create(network, 3, frozen_batch_norm=("low",), epsilon=0.1)
    images = jnp.asarray(np.random.default_rng(0).normal(1, 1, (4, 16, 16, 3)), jnp.float32)
    own, source = (module.init(jax.random.key(i), images, train=False) for i in range(2))
    logits, stages = module.apply(own, images, train=False)
    assert logits.shape == (4, 3)
    assert tuple(stages) == ("low", "high")
    assert [x.shape for x in stages.values()] == [(4, 8, 8, 4), (4, 4, 4, 8)]

    _, changed = module.apply(own, images, train=True, mutable=["batch_stats"])
    before, after = own["batch_stats"], changed["batch_stats"]
    assert equal(before["low_bn"], after["low_bn"])
    assert not equal(before["high_bn"], after["high_bn"])

    new = inits.transfusion(jax.random.key(2), own, source, upto="low")
    for name, tensors in new["params"].items():
        assert equal(tensors, (source if name.startswith("low") else own)["params"][name])
    assert models.first_kernel(new["params"]).shape == (3, 3, 3, 4)
    wide = models.create(network, 3, widths=(2, 4))
    assert models.first_kernel(models.shapes(wide, 16)["params"]).shape == (3, 3, 3, 2)


def test_names_of_a_network_that_has_no_rules_are_asked_for(network):
    shapes = models.shapes(models.create(network, 1), 16)
    with pytest.raises(ConfigError, match=r"add rules for the family 'pair' to weights/naming\.py"):
        naming.places(network, shapes, "torchvision")
    with pytest.raises(ConfigError, match="unknown network 'pear': did you mean 'pair'"):
        models.create("pear", 1)


def test_a_network_in_a_study(network, tiny_study, tmp_path):
    study = tiny_study(
        network=network,
        arms=("random", "transfusion:low"),
        repeats=1,
        recipe__rates=("low=0", "all=1"),
        similarity__at_end=True,
        similarity__every=0,
    )
    assert study.source.kind == "train"
    run = api.run(study, tmp_path / "w")
    assert set(run.history.member) == {"random-0", "transfusion_low-0"}
    first = models.first_kernel(run.weights("random-0")["params"])
    taken = models.first_kernel(run.weights("transfusion_low-0")["params"])
    assert not np.array_equal(first, taken)
    with open(run.folder / "similarity.csv", newline="") as file:
        assert {row["stage"] for row in csv.DictReader(file)} == {"low", "high"}


def test_an_initialiser_is_built_checked_and_chained(initialiser):
    variables = {"params": {"conv1": {"kernel": jnp.ones((3, 3, 3, 2))}}, "batch_stats": {}}
    key = jax.random.key(0)
    assert inits.parse("scaled:half") == ("scaled", {"scale": "half"})
    assert not inits.needs_source("scaled", scale="half")

    def kernel(name, **options):
        return inits.build(name, **options)(key, variables, None)["params"]["conv1"]["kernel"]

    np.testing.assert_array_equal(kernel("scaled", scale="half"), 0.5)
    np.testing.assert_array_equal(kernel("scaled", scale="double"), 2.0)
    np.testing.assert_array_equal(kernel("random+scaled+scaled", scale="double"), 4.0)
    for options, message in (
        ({}, "'scaled' needs 'scale'"),
        ({"scale": "hafl"}, "unknown scale='hafl': did you mean 'half'"),
        ({"scale": "half", "scales": 2}, "does not read 'scales': did you mean 'scale'"),
    ):
        with pytest.raises(ConfigError, match=message):
            inits.build("scaled", **options)


def test_an_initialiser_is_an_arm_of_a_study(initialiser, tiny_study, tmp_path):
    still = {"recipe__rates": ("head=1", "all=0"), "source__kind": "none"}
    thin = {"network_options__widths": (4, 4, 8, 8)}
    study = tiny_study(arms=("random", "scaled:double"), repeats=1, **still, **thin)
    assert [arm.name for arm in study.arms] == ["random", "scaled_double"]
    run = api.run(study, tmp_path / "w")
    own, doubled = (
        models.first_kernel(run.weights(member)["params"])
        for member in ("random-0", "scaled_double-0")
    )
    np.testing.assert_array_equal(doubled, 2 * own)
    with pytest.raises(ConfigError, match=r"config.arms\[0\]: unknown scale='dubble'"):
        tiny_study(arms=("scaled:dubble",), repeats=1, **still, **thin)
    with pytest.raises(ConfigError, match=r"config.arms.*scale.*must be set"):
        tiny_study(arms=("scaled",), repeats=1, **still, **thin)
