import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models
from transfer_jax.core import errors


def initial(module, images):
    return jax.jit(lambda key: module.init(key, images, train=False))(jax.random.key(0))


NETWORKS = [(name, layout) for name in models.names() for layout in models.layouts(name)]


def variables_of(name, size=32, layout="torchvision", **options):
    module = models.create(name, 5, layout, **options)
    return module, jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((2, size, size, 3)), train=False))


@pytest.mark.parametrize(("name", "count"), [("cbr_larget", 8_532_480), ("cbr_largew", 8_432_128), ("cbr_small", 2_108_672), ("cbr_tiny", 1_076_480)])
def test_parameters_as_table_1_counts_them(name, count):
    # Raghu et al. 2019, Table 1.
    assert models.table1_parameters(name) == count
    # The rule, applied to the network itself: all kernels but the first, no batch norm, no bias.
    _, variables = variables_of(name)
    kernels = [p["kernel"] for module, p in variables["params"].items() if "kernel" in p and module != "conv1"]
    assert sum(k.size for k in kernels) == count


# torchvision's counts with 1000 classes (resnet18 11,689,512; resnet34 21,797,672; resnet50 25,557,032), here with 5.
@pytest.mark.parametrize(("name", "count"), [("resnet18", 11_179_077), ("resnet34", 21_287_237), ("resnet50", 23_518_277)])
def test_resnet_parameters(name, count):
    _, variables = variables_of(name)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == count


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
    [("resnet18", "torchvision"), ("resnet50", "keras"), ("densenet121", "keras"), ("inception_v3", "torchvision"), ("cbr_tiny", "torchvision")],
)
def test_a_stage_depends_on_all_its_modules_and_on_none_after_it(name, layout):
    side = models.least_side(name)
    module, shapes = variables_of(name, side, layout)
    variables = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.01, leaf.dtype), shapes)
    forward = jax.jit(lambda v: module.apply(v, jnp.ones((1, side, side, 3)), train=False))

    def broken(poisoned):
        """The stages (and the logits) that are not finite when these modules are not."""
        spoilt = {c: {m: jax.tree.map(lambda x: x * jnp.nan, t) if m in poisoned else t for m, t in tree.items()} for c, tree in variables.items()}
        logits, stages = forward(spoilt)
        return {stage for stage, value in [*stages.items(), (models.HEAD, logits)] if not jnp.isfinite(value).all()}

    table = models.stage_table(name)
    after = [*table, models.HEAD]
    for i, stage in enumerate(table):
        for one in table[stage]:
            assert broken({one}) == set(after[i:])
    assert broken({models.HEAD}) == {models.HEAD}
    assert broken({"aux_head"}) == set()


def test_parts_that_are_optional_and_widths():
    slim = variables_of("resnet50_slim")[1]["params"]
    assert slim["block3"]["unit1"]["conv3"]["kernel"].shape == (1, 1, 128, 512)
    assert slim["block4"]["unit1"]["conv2"]["kernel"].shape == (3, 3, 256, 256)
    wide = variables_of("resnet50")[1]["params"]
    same = {m for m in wide if jax.tree.map(jnp.shape, wide[m]) == jax.tree.map(jnp.shape, slim[m])}
    assert same == {"conv1", "bn1", "block1", "block2"}
    tiny = variables_of("cbr_tiny", widths=(64, 128, 256, 512))[1]["params"]  # the other reading of the paper: 4,310,085 with all
    assert sum(leaf.size for leaf in jax.tree.leaves(tiny)) == 4_310_085
    for name, widths in (("cbr_tiny", (1, 2)), ("resnet18", (1, 2, 3, 0))):
        with pytest.raises(errors.ConfigError, match="needs 4 positive numbers"):
            models.create(name, 1, widths=widths)
    with pytest.raises(errors.ConfigError, match="the widths of densenet121 are fixed"):
        models.create("densenet121", 1, widths=(1,))
    with pytest.raises(errors.ConfigError, match="resnet18 has no layout 'keras'"):
        models.create("resnet18", 1, "keras")


def test_inceptions_auxiliary_head_is_sown_in_training_only():
    module, shapes = variables_of("inception_v3", 107)
    assert set(shapes) == {"params", "batch_stats"}
    images = jnp.zeros((2, 107, 107, 3))
    _, changed = jax.eval_shape(lambda v: module.apply(v, images, train=True, mutable=["batch_stats", "auxiliary"]), shapes)
    assert changed["auxiliary"]["logits"][0].shape == (2, 5)
    _, changed = jax.eval_shape(lambda v: module.apply(v, images, train=False, mutable=["batch_stats", "auxiliary"]), shapes)
    assert "auxiliary" not in changed


@pytest.mark.parametrize("frozen", [True, ("conv1", "conv2")])
def test_frozen_batch_norms_do_not_move_and_use_their_running_statistics(frozen):
    images = jnp.asarray(np.random.default_rng(0).normal(3, 2, (4, 32, 32, 3)), jnp.float32)
    module = models.create("cbr_tiny", 2, frozen_batch_norm=frozen)
    variables = initial(module, images)
    (logits, stages), changed = module.apply(variables, images, train=True, mutable=["batch_stats"])
    eval_logits, eval_stages = module.apply(variables, images, train=False)
    for i in range(1, 5):
        still = frozen is True or f"conv{i}" in frozen
        before, after = variables["batch_stats"][f"bn{i}"], changed["batch_stats"][f"bn{i}"]
        assert all(bool((before[k] == after[k]).all()) == still for k in before)
        assert bool((stages[f"conv{i}"] == eval_stages[f"conv{i}"]).all()) == still
    assert bool((logits == eval_logits).all()) == (frozen is True)
    with pytest.raises(errors.ConfigError, match="no stage 'conv9' to freeze"):
        models.create("cbr_tiny", 2, frozen_batch_norm=("conv9",))


def test_momentum_and_epsilon_can_be_chosen():
    images = jnp.asarray(np.random.default_rng(0).normal(3, 2, (4, 32, 32, 3)), jnp.float32)
    module = models.create("resnet18", 2, momentum=0.5, epsilon=0.5)
    variables = initial(module, images)
    _, changed = module.apply(variables, images, train=True, mutable=["batch_stats"])
    _, usual = models.create("resnet18", 2).apply(variables, images, train=True, mutable=["batch_stats"])
    moved, little = (c["batch_stats"]["bn1"]["mean"] for c in (changed, usual))
    np.testing.assert_allclose(moved, 5 * little, rtol=1e-5)  # half the way instead of a tenth


def test_grey_stem():
    images = jnp.asarray(np.random.default_rng(0).normal(size=(2, 32, 32, 1)), jnp.float32)
    module = models.create("cbr_small", 3)
    variables = initial(module, jnp.broadcast_to(images, (2, 32, 32, 3)))
    kernel = models.first_kernel(variables["params"])
    grey = models.with_first_kernel(variables, kernel.sum(2, keepdims=True))
    logits, _ = module.apply(grey, images, train=False)
    repeated, _ = module.apply(variables, jnp.broadcast_to(images, (2, 32, 32, 3)), train=False)
    np.testing.assert_allclose(logits, repeated, atol=1e-5)


def test_unknown_names_are_errors():
    with pytest.raises(errors.ConfigError, match="did you mean 'cbr_tiny'"):
        models.create("cbr_tinny", 1)
    with pytest.raises(errors.ConfigError, match="no stage 'block1'"):
        models.upto(models.stage_table("cbr_tiny"), "block1")
    with pytest.raises(errors.ConfigError, match="at least one output"):
        models.create("cbr_tiny", 0)
    with pytest.raises(errors.ConfigError, match="no rule is known"):
        models.table1_parameters("resnet50")
    with pytest.raises(errors.ConfigError, match="no stage table holds exactly"):
        models.table_of({"conv1": {}, "head": {}})


def test_upto_is_cumulative():
    assert models.upto(models.stage_table("resnet50"), "block1") == ("conv1", "block1")


def test_training_mode_moves_statistics_and_evaluation_does_not():
    module = models.create("cbr_tiny", 2)
    images = jnp.asarray(np.random.default_rng(0).normal(3, 2, (4, 32, 32, 3)), jnp.float32)
    variables = initial(module, images)
    (train_logits, _), changed = module.apply(variables, images, train=True, mutable=["batch_stats"])
    eval_logits, _ = module.apply(variables, images, train=False)
    assert float(jnp.abs(changed["batch_stats"]["bn1"]["mean"]).max()) > 0
    assert not np.allclose(train_logits, eval_logits)
