import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from transfer_jax.models import pooling


@pytest.mark.parametrize("shape", [(2, 8, 8, 4), (3, 7, 9, 2), (1, 1, 1, 3), (2, 2, 5, 1)])
@pytest.mark.parametrize("padding", [0, 1])
def test_both_pools_are_equal_with_their_gradients_ties_included(shape, padding):
    shape = (
        shape
        if padding
        else tuple(max(side, 3) if axis in (1, 2) else side for axis, side in enumerate(shape))
    )
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(-2, 3, shape), jnp.float32)  # few values, so that many windows tie
    assert (pooling.max_pool_slices(x, padding) == pooling.max_pool_window(x, padding)).all()
    weight = jnp.asarray(
        rng.integers(-9, 10, pooling.max_pool_window(x, padding).shape), jnp.float32
    )  # whole, so that sums are exact in any order
    gradients = [
        jax.grad(lambda x, pool=pool: (pool(x, padding) * weight).sum())(x)
        for pool in (pooling.max_pool_slices, pooling.max_pool_window)
    ]
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, 0), (3, 1, 1), (5, 3, 0)])
@pytest.mark.parametrize("count_padding", [False, True])
def test_averages_are_those_of_flax_with_their_gradients(window, stride, padding, count_padding):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 9, 12, 3)), jnp.float32)

    def theirs(x):
        return nn.avg_pool(
            x,
            (window, window),
            (stride, stride),
            [(padding, padding)] * 2,
            count_include_pad=count_padding,
        )

    def ours(x):
        return pooling.avg_pool(
            x, window=window, stride=stride, padding=padding, count_padding=count_padding
        )

    values, pulls = zip(*(jax.vjp(f, x) for f in (ours, theirs)), strict=True)
    np.testing.assert_allclose(*values, atol=1e-6)
    weight = jnp.asarray(np.random.default_rng(1).normal(size=values[0].shape), jnp.float32)
    np.testing.assert_allclose(*(pull(weight)[0] for pull in pulls), atol=1e-6)
