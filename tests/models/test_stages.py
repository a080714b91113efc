import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_networks import initial, variables_of

from transfer_jax import models
from transfer_jax.core.errors import ConfigError

NETWORKS = [(name, layout) for name in models.names() for layout in models.layouts(name)]


@pytest.mark.parametrize(("name", "layout"), NETWORKS)
@pytest.mark.parametrize("more", [0, 13])
def test_stages_come_in_the_tables_order_and_hold_every_parameter_once(name, layout, more):
    size = models.least_side(name) + more
    module, variables = variables_of(name, size, layout)
    forward = jax.jit(lambda v, x: module.apply(v, x, train=False))
    logits, stages = jax.eval_shape(forward, variables, jnp.zeros((2, size, size, 3)))
    assert logits.shape == (2, 5)
    assert tuple(stages) == models.stage_names(name)
    assert all(len(stage.shape) == 4 for stage in stages.values())
    table = models.table_of(variables["params"])
    assert table == models.stage_table(name)
    grouped = [m for group in table.values() for m in group]
    heads = [m for m in variables["params"] if m in models.HEADS]
    assert models.HEAD in heads
    for collection in variables.values():
        owners = {module: [*grouped, *heads].count(module) for module in collection}
        assert set(owners.values()) == {1}


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("resnet18", "torchvision"),
        ("resnet50", "keras"),
        ("densenet121", "keras"),
        ("inception_v3", "torchvision"),
        ("cbr_tiny", "torchvision"),
    ],
)
def test_a_stage_depends_on_all_its_modules_and_on_none_after_it(name, layout):
    side = models.least_side(name)
    module, shapes = variables_of(name, side, layout)
    variables = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.01, leaf.dtype), shapes)
    forward = jax.jit(lambda v: module.apply(v, jnp.ones((1, side, side, 3)), train=False))

    def broken(poisoned):
        """The stages (and the logits) that are not finite when these modules are not."""
        poisoned_variables = {
            c: {
                m: jax.tree.map(lambda x: x * jnp.nan, t) if m in poisoned else t
                for m, t in tree.items()
            }
            for c, tree in variables.items()
        }
        logits, stages = forward(poisoned_variables)
        return {
            stage
            for stage, value in [*stages.items(), (models.HEAD, logits)]
            if not jnp.isfinite(value).all()
        }

    table = models.stage_table(name)
    after = [*table, models.HEAD]
    for i, stage in enumerate(table):
        for name in table[stage]:
            assert broken({name}) == set(after[i:])
    assert broken({models.HEAD}) == {models.HEAD}
    assert broken({"aux_head"}) == set()


def test_grey_stem():
    images = jnp.asarray(np.random.default_rng(0).normal(size=(2, 32, 32, 1)), jnp.float32)
    module = models.create("cbr_small", 3)
    variables = initial(module, jnp.broadcast_to(images, (2, 32, 32, 3)))
    kernel = models.first_kernel(variables["params"])
    grey = models.with_first_kernel(variables, kernel.sum(2, keepdims=True))
    logits, _ = module.apply(grey, images, train=False)
    repeated, _ = module.apply(variables, jnp.broadcast_to(images, (2, 32, 32, 3)), train=False)
    np.testing.assert_allclose(logits, repeated, atol=1e-5)


def test_upto_is_cumulative():
    table = models.stage_table("resnet50")
    assert models.upto(table, "block1") == ("conv1", "block1")
    assert models.upto(table, "block4") == tuple(table)
    with pytest.raises(ConfigError, match="no stage 'blok1': did you mean 'block1'"):
        models.upto(table, "blok1")


def test_modules_of_no_network_are_an_error():
    with pytest.raises(ConfigError, match="no stage table holds exactly the modules conv1: add"):
        models.table_of({"conv1": {}, "head": {}})


@pytest.mark.parametrize("name", models.names())
def test_an_auxiliary_head_reads_a_stage(name):
    facts = models.spec(name)
    assert (facts.auxiliary_stage is None) == (name != "inception_v3")
    assert facts.auxiliary_stage in (None, *facts.stages)
