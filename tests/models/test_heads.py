import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models
from transfer_jax.core import errors

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(4, 32, 32, 3)), jnp.float32)


def made(num_outputs, **options):
    module = models.create("cbr_tiny", num_outputs, **options)
    return module, jax.jit(lambda key: module.init(key, IMAGES, train=False))(jax.random.key(0))


def test_a_linear_head_is_the_mean_over_space_times_a_matrix():
    module, variables = made(3)
    logits, stages = module.apply(variables, IMAGES, train=False)
    head = variables["params"]["head"]
    np.testing.assert_allclose(
        logits, stages["conv4"].mean((1, 2)) @ head["kernel"] + head["bias"][None], rtol=1e-5
    )


def test_dropout_is_drawn_in_training_alone_and_keeps_the_mean():
    module, variables = made(1, dropout=0.5)
    assert jax.tree.structure(variables) == jax.tree.structure(made(1)[1])

    @jax.jit
    def trained(seed):
        (logits, _), _ = module.apply(
            variables,
            IMAGES,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(seed)},
        )
        return logits

    draws = np.stack([trained(seed) for seed in range(400)])
    without = models.create("cbr_tiny", 1).apply(
        variables, IMAGES, train=True, mutable=["batch_stats"]
    )[0][0]
    assert draws.std(0).min() > 0
    np.testing.assert_allclose(draws.mean(0), without, atol=4 * draws.std(0).max() / 20)
    np.testing.assert_array_equal(trained(0), trained(0))
    again = [module.apply(variables, IMAGES, train=False)[0] for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_several_heads_share_the_features():
    tasks = {"pathology": 14, "sex": 1, "age": 1, "view": 3}
    module, variables = made(tasks)
    logits, stages = module.apply(variables, IMAGES, train=False)
    assert {name: value.shape[1] for name, value in logits.items()} == tasks
    view = variables["params"]["head"]["view"]
    np.testing.assert_allclose(
        logits["view"],
        stages["conv4"].mean((1, 2)) @ view["kernel"] + view["bias"][None],
        rtol=1e-5,
    )
    assert models.table_of(variables["params"]) == models.stage_table("cbr_tiny")


def test_a_projector_has_batch_norm_between_its_layers_and_no_bias():
    module, variables = made(16, hidden=(64, 32))
    head = variables["params"]["head"]
    assert jax.tree.map(jnp.shape, head) == {
        "dense1": {"kernel": (256, 64)},
        "bn1": {"scale": (64,), "bias": (64,)},
        "dense2": {"kernel": (64, 32)},
        "bn2": {"scale": (32,), "bias": (32,)},
        "dense3": {"kernel": (32, 16)},
    }
    (z, stages), changed = module.apply(variables, IMAGES, train=True, mutable=["batch_stats"])
    h = stages["conv4"].mean((1, 2)) @ head["dense1"]["kernel"]
    assert z.shape == (4, 16)
    np.testing.assert_allclose(
        changed["batch_stats"]["head"]["bn1"]["mean"], 0.1 * h.mean(0), atol=1e-5
    )


@pytest.mark.parametrize(
    ("num_outputs", "options", "message"),
    [
        (0, {}, "at least one output"),
        ({}, {}, "at least one output"),
        ({"a": 0}, {}, "at least one output"),
        (1, {"dropout": 1.0}, r"dropout=1.0 must lie in \[0, 1\)"),
        (1, {"hidden": (0,)}, "widths must be positive"),
        ({"a": 1}, {"hidden": (3,)}, "has no hidden layers"),
    ],
)
def test_impossible_heads(num_outputs, options, message):
    with pytest.raises(errors.ConfigError, match=message):
        models.create("cbr_tiny", num_outputs, **options)
