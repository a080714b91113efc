import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_networks import initial, variables_of

from transfer_jax import models
from transfer_jax.core import errors

THIN = (4, 4, 4, 4)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cbr_larget", 8_532_480),
        ("cbr_largew", 8_432_128),
        ("cbr_small", 2_108_672),
        ("cbr_tiny", 1_076_480),
    ],
)
def test_parameters_as_table_1_counts_them(name, count):
    # Raghu et al. 2019, Table 1.
    assert models.table1_parameters(name) == count
    # The rule, applied to the network itself: all kernels but the first, no batch norm, no bias.
    _, variables = variables_of(name)
    kernels = [
        p["kernel"]
        for module, p in variables["params"].items()
        if "kernel" in p and module != "conv1"
    ]
    assert sum(k.size for k in kernels) == count


# torchvision's counts with 1000 classes (resnet18 11,689,512; resnet34 21,797,672; resnet50
# 25,557,032), here with 5.
@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet18", 11_179_077), ("resnet34", 21_287_237), ("resnet50", 23_518_277)],
)
def test_resnet_parameters(name, count):
    _, variables = variables_of(name)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == count


def test_parts_that_are_optional_and_widths():
    slim = variables_of("resnet50_slim")[1]["params"]
    assert slim["block3"]["unit1"]["conv3"]["kernel"].shape == (1, 1, 128, 512)
    assert slim["block4"]["unit1"]["conv2"]["kernel"].shape == (3, 3, 256, 256)
    wide = variables_of("resnet50")[1]["params"]
    same = {m for m in wide if jax.tree.map(jnp.shape, wide[m]) == jax.tree.map(jnp.shape, slim[m])}
    assert same == {"conv1", "bn1", "block1", "block2"}
    tiny = variables_of("cbr_tiny", widths=(64, 128, 256, 512))[1][
        "params"
    ]  # the other reading of the paper: 4,310,085 with all
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
    _, changed = jax.eval_shape(
        lambda v: module.apply(v, images, train=True, mutable=["batch_stats", "auxiliary"]), shapes
    )
    assert changed["auxiliary"]["logits"][0].shape == (2, 5)
    _, changed = jax.eval_shape(
        lambda v: module.apply(v, images, train=False, mutable=["batch_stats", "auxiliary"]), shapes
    )
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


def test_momentum_can_be_changed():
    images = jnp.asarray(np.random.default_rng(0).normal(3, 2, (4, 32, 32, 3)), jnp.float32)
    variables = initial(models.create("cbr_tiny", 2, widths=THIN), images)

    def moved(**options):
        module = models.create("cbr_tiny", 2, widths=THIN, **options)
        _, changed = module.apply(variables, images, train=True, mutable=["batch_stats"])
        return changed["batch_stats"]["bn1"]["mean"]

    assert float(jnp.abs(moved()).min()) > 0
    # They begin at zero and go half of the way instead of a tenth.
    np.testing.assert_allclose(moved(momentum=0.5), 5 * moved(), rtol=1e-5)


def test_epsilon_can_be_changed():
    images = jnp.asarray(np.random.default_rng(0).normal(3, 2, (2, 32, 32, 3)), jnp.float32)
    variables = initial(models.create("cbr_tiny", 2, widths=THIN), images)

    def first_stage(**options):
        module = models.create("cbr_tiny", 2, widths=THIN, **options)
        return module.apply(variables, images, train=False)[1]["conv1"]

    # Fresh running statistics are mean 0 and variance 1: batch norm divides by sqrt(1 + epsilon).
    factor = ((1 + 1e-5) / (1 + 0.5)) ** 0.5
    assert float(first_stage().max()) > 0
    np.testing.assert_allclose(first_stage(epsilon=0.5), factor * first_stage(), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "epsilon"), [("resnet50", 1.001e-5), ("densenet121", 1.001e-5), ("inception_v3", 1e-3)]
)
def test_keras_constants_of_batch_norm(name, epsilon):
    norm = models.create(name, 2, "keras").norm()
    assert (norm.momentum, norm.epsilon, norm.unbiased) == (0.99, epsilon, False)
    assert norm.scaled == (name != "inception_v3")
    changed = models.create(name, 2, "keras", momentum=0.5).norm()
    assert (changed.momentum, changed.epsilon, changed.unbiased) == (0.5, epsilon, False)


def test_networks_that_are_created_alike_are_equal():
    # What is compiled for one must serve the other.
    assert models.create("resnet50", 2, "keras") == models.create("resnet50", 2, "keras")
    assert models.create("resnet50", 2, "keras") != models.create("resnet50", 2)


@pytest.mark.parametrize(
    "function",
    [
        lambda name: models.create(name, 1),
        models.spec,
        models.layouts,
        models.least_side,
        models.stage_table,
        models.stage_names,
        models.table1_parameters,
    ],
)
def test_an_unknown_network_is_an_error_with_the_nearest_name(function):
    with pytest.raises(errors.ConfigError, match="unknown network 'cbr_tinny': did you mean 'cbr_"):
        function("cbr_tinny")


def test_table_1_has_cbr_networks_only():
    with pytest.raises(errors.ConfigError, match="no rule is known"):
        models.table1_parameters("resnet50")


def test_training_mode_moves_statistics_and_evaluation_does_not():
    module = models.create("cbr_tiny", 2)
    images = jnp.asarray(np.random.default_rng(0).normal(3, 2, (4, 32, 32, 3)), jnp.float32)
    variables = initial(module, images)
    (train_logits, _), changed = module.apply(
        variables, images, train=True, mutable=["batch_stats"]
    )
    eval_logits, _ = module.apply(variables, images, train=False)
    assert float(jnp.abs(changed["batch_stats"]["bn1"]["mean"]).max()) > 0
    assert not np.allclose(train_logits, eval_logits)
