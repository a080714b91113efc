import functools

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.core import fusion
from transfer_jax.models import layers, resnet


def test_settle_changes_nothing_and_neither_does_its_gradient():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 3, 4)), jnp.float32)
    value, pull = jax.vjp(jax.jit(fusion.settle), x)
    np.testing.assert_array_equal(value, x)
    np.testing.assert_array_equal(pull(x)[0], x)


def test_a_residual_networks_operations_do_not_grow_with_its_depth():
    """XLA on a CPU would compute the sums of all earlier units again in every unit."""

    def longest_fusion(units):
        unit = functools.partial(
            resnet.Unit,
            width=4,
            bottleneck=True,
            early_stride=False,
            bias=False,
            norm=layers.BatchNorm,
        )
        block, x = resnet.Block(unit, units, 1), jnp.zeros((2, 4, 4, 16))
        variables = jax.eval_shape(lambda: block.init(jax.random.key(0), x, train=False))

        def loss(params, statistics):
            variables = {"params": params, "batch_stats": statistics}
            return block.apply(variables, x, train=True, mutable=["batch_stats"])[0].sum()

        text = (
            jax.jit(jax.grad(loss))
            .lower(variables["params"], variables["batch_stats"])
            .compile()
            .as_text()
        )
        return max(
            len(part.splitlines()) for part in text.split("\n\n") if part.startswith("%fused")
        )

    assert longest_fusion(12) <= longest_fusion(4) + 5
