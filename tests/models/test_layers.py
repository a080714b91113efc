import functools
from typing import NamedTuple

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


class Exact(NamedTuple):
    y: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    of_x: np.ndarray
    of_scale: np.ndarray


def in_float64(x, gradient, epsilon=1e-5):
    """Batch norm in two passes, with the gradients of its input and of its scale."""
    x, gradient = x.astype(np.float64), gradient.astype(np.float64)
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axes), x.var(axes)
    y = (x - mean) / np.sqrt(var + epsilon)
    along_y = (gradient * y).mean(axes)
    of_x = (gradient - gradient.mean(axes) - y * along_y) / np.sqrt(var + epsilon)
    return Exact(y, mean, var, of_x, (gradient * y).sum(axes))


@jax.jit
@functools.partial(jax.grad, argnums=(0, 1), has_aux=True)
def batch_norm_gradients(params, x, statistics, weight):
    variables = {"params": params, "batch_stats": statistics}
    y, changed = layers.BatchNorm(momentum=0.5, unbiased=False).apply(variables, x, train=True, mutable=["batch_stats"])
    return (y * weight).sum(), (y, changed["batch_stats"])


@pytest.mark.parametrize("shape", [(8, 7, 9, 5), (300, 5), (16, 11, 5)])
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (100, 1), (-1000, 1), (1e5, 1), (1e6, 1e3), (50, 1e-1)])
@pytest.mark.parametrize("running", [0.0, 1e8, np.nan])
def test_batch_norm_survives_any_mean_with_its_gradients_whatever_the_running_mean(shape, mean, deviation, running):
    rng = np.random.default_rng(0)
    x = (mean + deviation * rng.standard_normal(shape)).astype(np.float32)
    weight = rng.standard_normal(shape).astype(np.float32)
    params = {"scale": jnp.ones(5), "bias": jnp.zeros(5)}
    statistics = {"mean": jnp.full(5, running), "var": jnp.zeros(5)}

    (of_params, of_x), (y, changed) = batch_norm_gradients(params, jnp.asarray(x), statistics, weight)
    expected = in_float64(x, weight)
    np.testing.assert_allclose(y, expected.y, atol=1e-5)
    np.testing.assert_allclose(of_x, expected.of_x, atol=1e-5 * np.abs(expected.of_x).max())
    np.testing.assert_allclose(of_params["scale"], expected.of_scale, atol=1e-5 * np.abs(expected.of_scale).max())
    np.testing.assert_allclose(changed["var"], expected.var / 2, rtol=1e-5)
    np.testing.assert_allclose(changed["mean"], (running + expected.mean) / 2, rtol=1e-6, atol=1e-6)


def test_the_variance_of_a_batch_whose_sample_is_all_outliers():
    # The middle of every image is 1,000 deviations of the other positions away.
    x = np.random.default_rng(0).standard_normal((4, 33, 33, 2)).astype(np.float32)
    x[:, 16, 16] += 1000
    variables = {"params": {"scale": jnp.ones(2), "bias": jnp.zeros(2)}, "batch_stats": {"mean": jnp.zeros(2), "var": jnp.zeros(2)}}
    _, changed = layers.BatchNorm(momentum=0.0, unbiased=False).apply(variables, jnp.asarray(x), train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(changed["batch_stats"]["var"], x.astype(np.float64).var((0, 1, 2)), rtol=2e-4)


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16])
def test_statistics_of_low_precision_activations_are_kept_in_float32(kind):
    x = jnp.asarray(np.random.default_rng(0).normal(3, 1, (4, 9, 9, 2)), kind)
    variables = {"params": {"scale": jnp.ones(2), "bias": jnp.zeros(2)}, "batch_stats": {"mean": jnp.zeros(2), "var": jnp.zeros(2)}}
    _, changed = layers.BatchNorm(momentum=0.0, unbiased=False).apply(variables, x, train=True, mutable=["batch_stats"])
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(changed["batch_stats"]["mean"], exact.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(changed["batch_stats"]["var"], exact.var((0, 1, 2)), rtol=1e-5)


def test_batch_norm_far_from_zero_over_eight_devices_as_on_one():
    rng = np.random.default_rng(0)
    x, weight = (1000 + rng.standard_normal((16, 4, 4, 3))).astype(np.float32), rng.standard_normal((16, 4, 4, 3)).astype(np.float32)
    variables = layers.BatchNorm().init(jax.random.key(0), jnp.asarray(x), train=True)

    @jax.jit
    def gradient(x):
        def loss(x):
            y, changed = layers.BatchNorm().apply(variables, x, train=True, mutable=["batch_stats"])
            return (y * weight).sum(), (y, changed)

        return jax.grad(loss, has_aux=True)(x)

    split = jax.device_put(x, meshes.batched(meshes.create()))
    for everywhere, alone in zip(jax.tree.leaves(gradient(split)), jax.tree.leaves(gradient(jnp.asarray(x))), strict=True):
        np.testing.assert_allclose(everywhere, alone, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("mean", [0, 1000, 1e5])
def test_running_statistics_far_from_zero_normalise_exactly(mean):
    x = (mean + np.random.default_rng(0).standard_normal((4, 5, 5, 3))).astype(np.float32)
    exact = x.astype(np.float64)
    statistics = {"mean": jnp.full(3, mean, jnp.float32), "var": jnp.full(3, 4.0)}
    variables = {"params": {"scale": jnp.full(3, 2.0), "bias": jnp.full(3, 0.5)}, "batch_stats": statistics}
    y = jax.jit(lambda x: layers.BatchNorm().apply(variables, x, train=False))(jnp.asarray(x))
    np.testing.assert_allclose(y, (exact - mean) / np.sqrt(4 + 1e-5) * 2 + 0.5, atol=1e-6)
