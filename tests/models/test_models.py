import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models
from transfer_jax.core import errors


def variables_of(name, size=32):
    module = models.create(name, 5)
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


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("size", [32, 45])
def test_stages_come_in_the_tables_order_and_hold_every_parameter(name, size):
    module, variables = variables_of(name, size)
    forward = jax.jit(lambda v, x: module.apply(v, x, train=False))
    logits, stages = jax.eval_shape(forward, variables, jnp.zeros((2, size, size, 3)))
    assert logits.shape == (2, 5)
    assert tuple(stages) == models.stage_names(name)
    table = models.table_of(variables["params"])
    assert table == models.stage_table(name)
    grouped = [m for group in table.values() for m in group] + [models.HEAD]
    assert sorted(grouped) == sorted(variables["params"])


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
    variables = module.init(jax.random.key(0), images, train=False)
    (train_logits, _), changed = module.apply(variables, images, train=True, mutable=["batch_stats"])
    eval_logits, _ = module.apply(variables, images, train=False)
    assert float(jnp.abs(changed["batch_stats"]["bn1"]["mean"]).max()) > 0
    assert not np.allclose(train_logits, eval_logits)
