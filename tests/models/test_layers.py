import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from transfer_jax.core import fusion
from transfer_jax.core import mesh as meshes
from transfer_jax.models import convolution, layers, pooling, resnet


@pytest.mark.parametrize("shape", [(2, 8, 8, 4), (3, 7, 9, 2), (1, 1, 1, 3), (2, 2, 5, 1)])
@pytest.mark.parametrize("padding", [0, 1])
def test_both_pools_are_equal_with_their_gradients_ties_included(shape, padding):
    shape = shape if padding else tuple(max(side, 3) if axis in (1, 2) else side for axis, side in enumerate(shape))
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(-2, 3, shape), jnp.float32)  # few values, so that many windows tie
    assert (pooling.max_pool_slices(x, padding) == pooling.max_pool_window(x, padding)).all()
    weight = jnp.asarray(rng.integers(-9, 10, pooling.max_pool_window(x, padding).shape), jnp.float32)  # whole, so that sums are exact in any order
    gradients = [jax.grad(lambda x, pool=pool: (pool(x, padding) * weight).sum())(x) for pool in (pooling.max_pool_slices, pooling.max_pool_window)]
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, 0), (3, 1, 1), (5, 3, 0)])
@pytest.mark.parametrize("count_padding", [False, True])
def test_averages_are_those_of_flax_with_their_gradients(window, stride, padding, count_padding):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 9, 12, 3)), jnp.float32)

    def theirs(x):
        return nn.avg_pool(x, (window, window), (stride, stride), [(padding, padding)] * 2, count_include_pad=count_padding)

    def ours(x):
        return pooling.avg_pool(x, window=window, stride=stride, padding=padding, count_padding=count_padding)

    values, pulls = zip(*(jax.vjp(f, x) for f in (ours, theirs)), strict=True)
    np.testing.assert_allclose(*values, atol=1e-6)
    weight = jnp.asarray(np.random.default_rng(1).normal(size=values[0].shape), jnp.float32)
    np.testing.assert_allclose(*(pull(weight)[0] for pull in pulls), atol=1e-6)


@pytest.mark.parametrize("kernel", [(1, 1), (1, 7), (7, 1), (3, 3), (5, 5)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("same", [False, True])
def test_padding_and_stride_are_those_of_lax(kernel, stride, same):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 9, 11, 5)), jnp.float32)
    w = jnp.asarray(rng.normal(size=(*kernel, 5, 4)), jnp.float32)
    padding = [((k - 1) // 2,) * 2 if same else (0, 0) for k in kernel]
    wanted = lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    np.testing.assert_allclose(convolution.convolve(x, w, stride, same), wanted, atol=1e-4)


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


def test_settle_changes_nothing_and_neither_does_its_gradient():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 3, 4)), jnp.float32)
    value, pull = jax.vjp(jax.jit(fusion.settle), x)
    np.testing.assert_array_equal(value, x)
    np.testing.assert_array_equal(pull(x)[0], x)


def test_a_residual_networks_operations_do_not_grow_with_its_depth():
    """XLA on a CPU would compute the sums of all earlier units again in every unit."""

    def longest_fusion(units):
        unit = functools.partial(resnet.Unit, width=4, bottleneck=True, early_stride=False, bias=False, norm=layers.BatchNorm)
        block, x = resnet.Block(unit, units, 1), jnp.zeros((2, 4, 4, 16))
        variables = jax.eval_shape(lambda: block.init(jax.random.key(0), x, train=False))

        def loss(params, statistics):
            variables = {"params": params, "batch_stats": statistics}
            return block.apply(variables, x, train=True, mutable=["batch_stats"])[0].sum()

        text = jax.jit(jax.grad(loss)).lower(variables["params"], variables["batch_stats"]).compile().as_text()
        return max(len(part.splitlines()) for part in text.split("\n\n") if part.startswith("%fused"))

    assert longest_fusion(12) <= longest_fusion(4) + 5


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


def test_keras_batch_norm_keeps_the_biased_variance_and_may_have_no_scale():
    x = np.random.default_rng(0).normal(2, 3, (4, 5, 5, 3)).astype(np.float32)
    norm = layers.BatchNorm(momentum=0.99, epsilon=1e-3, unbiased=False, scaled=False)
    variables = norm.init(jax.random.key(0), jnp.asarray(x), train=True)
    assert set(variables["params"]) == {"bias"}
    y, changed = norm.apply(variables, jnp.asarray(x), train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(y, (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3), atol=1e-4)
    np.testing.assert_allclose(changed["batch_stats"]["var"], 0.99 + 0.01 * x.var((0, 1, 2)), rtol=1e-4)


def test_batch_norm_sees_the_global_batch():
    x = np.random.default_rng(0).normal(size=(16, 2, 2, 3)).astype(np.float32)
    norm = layers.BatchNorm()
    variables = norm.init(jax.random.key(0), jnp.asarray(x), train=True)
    apply = jax.jit(lambda v, x: norm.apply(v, x, train=True, mutable=["batch_stats"]))
    split = jax.device_put(x, meshes.batched(meshes.create()))
    for a, b in zip(jax.tree.leaves(apply(variables, split)), jax.tree.leaves(apply(variables, jnp.asarray(x))), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
