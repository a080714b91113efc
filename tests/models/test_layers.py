import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.core import mesh as meshes
from transfer_jax.models import convolution, layers, pooling


@pytest.mark.parametrize("shape", [(2, 8, 8, 4), (3, 7, 9, 2), (1, 1, 1, 3), (2, 2, 5, 1)])
def test_both_pools_are_equal_with_their_gradients_ties_included(shape):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(-2, 3, shape), jnp.float32)  # few values, so that many windows tie
    assert (pooling.max_pool_slices(x) == pooling.max_pool_window(x)).all()
    weight = jnp.asarray(rng.integers(-9, 10, pooling.max_pool_window(x).shape), jnp.float32)  # whole, so that sums are exact in any order
    gradients = [jax.grad(lambda x, pool=pool: (pool(x) * weight).sum())(x) for pool in (pooling.max_pool_slices, pooling.max_pool_window)]
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize(("shape", "features"), [((2, 4, 4, 3), 4), ((2, 2, 2, 5), 4), ((1, 3, 6, 1), 4), ((2, 9, 12, 4), 4), ((1, 8, 8, 32), 64)])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_all_convolutions_are_equal_with_their_gradients(shape, features, kernel):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    w = jnp.asarray(rng.normal(size=(kernel, kernel, shape[-1], features)) / np.sqrt(shape[-1]), jnp.float32)
    weight = jnp.asarray(rng.normal(size=(*shape[:3], features)) / np.sqrt(features), jnp.float32)

    def value_and_gradients(formula):
        value, pull = jax.vjp(formula, x, w)
        return [value, *pull(weight)]

    wanted = value_and_gradients(convolution.convolve_direct)
    formulas = [convolution.convolve_folded, convolution.convolve_wide, convolution.convolve]
    formulas += [convolution.convolve_paired] if shape[2] % 2 == 0 else []
    for formula in formulas:
        for got, want in zip(value_and_gradients(formula), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    strided = convolution.convolve_direct(x, w, stride=2)
    np.testing.assert_allclose(convolution.convolve(x, w, stride=2), strided, rtol=1e-4, atol=1e-4)
    assert strided.shape[1] == (shape[1] + 1) // 2


def test_batch_norm_is_the_textbooks_with_the_unbiased_running_variance():
    x = np.random.default_rng(0).normal(2, 3, (4, 5, 5, 3)).astype(np.float32)
    norm = layers.BatchNorm()
    variables = norm.init(jax.random.key(0), jnp.asarray(x), train=True)
    y, changed = norm.apply(variables, jnp.asarray(x), train=True, mutable=["batch_stats"])
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-4)
    np.testing.assert_allclose(changed["batch_stats"]["mean"], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(changed["batch_stats"]["var"], 0.9 + 0.1 * x.var((0, 1, 2), ddof=1), rtol=1e-4)
    frozen = norm.apply({**variables, **changed}, jnp.asarray(x), train=False)
    np.testing.assert_allclose(frozen, (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * x.var((0, 1, 2), ddof=1) + 1e-5), atol=1e-3)


def test_batch_norm_sees_the_global_batch():
    x = np.random.default_rng(0).normal(size=(16, 2, 2, 3)).astype(np.float32)
    norm = layers.BatchNorm()
    variables = norm.init(jax.random.key(0), jnp.asarray(x), train=True)
    apply = jax.jit(lambda v, x: norm.apply(v, x, train=True, mutable=["batch_stats"]))
    split = jax.device_put(x, meshes.batched(meshes.create()))
    for a, b in zip(jax.tree.leaves(apply(variables, split)), jax.tree.leaves(apply(variables, jnp.asarray(x))), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
