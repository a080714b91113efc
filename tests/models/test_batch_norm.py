import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.core import mesh as meshes
from transfer_jax.models import layers


def test_batch_norm_is_the_textbooks_with_the_unbiased_running_variance():
    x = np.random.default_rng(0).normal(2, 3, (4, 5, 5, 3)).astype(np.float32)
    norm = layers.BatchNorm()
    variables = norm.init(jax.random.key(0), jnp.asarray(x), train=True)
    y, changed = norm.apply(variables, jnp.asarray(x), train=True, mutable=["batch_stats"])
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-4)
    np.testing.assert_allclose(changed["batch_stats"]["mean"], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(
        changed["batch_stats"]["var"], 0.9 + 0.1 * x.var((0, 1, 2), ddof=1), rtol=1e-4
    )
    frozen = norm.apply({**variables, **changed}, jnp.asarray(x), train=False)
    np.testing.assert_allclose(
        frozen, (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * x.var((0, 1, 2), ddof=1) + 1e-5), atol=1e-3
    )


def test_keras_batch_norm_keeps_the_biased_variance_and_may_have_no_scale():
    x = np.random.default_rng(0).normal(2, 3, (4, 5, 5, 3)).astype(np.float32)
    norm = layers.BatchNorm(momentum=0.99, epsilon=1e-3, unbiased=False, scaled=False)
    variables = norm.init(jax.random.key(0), jnp.asarray(x), train=True)
    assert set(variables["params"]) == {"bias"}
    y, changed = norm.apply(variables, jnp.asarray(x), train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(
        y, (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3), atol=1e-4
    )
    np.testing.assert_allclose(
        changed["batch_stats"]["var"], 0.99 + 0.01 * x.var((0, 1, 2)), rtol=1e-4
    )


def test_batch_norm_sees_the_global_batch():
    x = np.random.default_rng(0).normal(size=(16, 2, 2, 3)).astype(np.float32)
    norm = layers.BatchNorm()
    variables = norm.init(jax.random.key(0), jnp.asarray(x), train=True)
    apply = jax.jit(lambda v, x: norm.apply(v, x, train=True, mutable=["batch_stats"]))
    split = jax.device_put(x, meshes.batched(meshes.create()))
    for a, b in zip(
        jax.tree.leaves(apply(variables, split)),
        jax.tree.leaves(apply(variables, jnp.asarray(x))),
        strict=True,
    ):
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
    y, changed = layers.BatchNorm(momentum=0.5, unbiased=False).apply(
        variables, x, train=True, mutable=["batch_stats"]
    )
    return (y * weight).sum(), (y, changed["batch_stats"])


@pytest.mark.parametrize("shape", [(8, 7, 9, 5), (300, 5), (16, 11, 5)])
@pytest.mark.parametrize(
    ("mean", "deviation"), [(0, 1), (100, 1), (-1000, 1), (1e5, 1), (1e6, 1e3), (50, 1e-1)]
)
@pytest.mark.parametrize("running", [0.0, 1e8, np.nan])
def test_batch_norm_survives_any_mean_with_its_gradients_whatever_the_running_mean(
    shape, mean, deviation, running
):
    rng = np.random.default_rng(0)
    x = (mean + deviation * rng.standard_normal(shape)).astype(np.float32)
    weight = rng.standard_normal(shape).astype(np.float32)
    params = {"scale": jnp.ones(5), "bias": jnp.zeros(5)}
    statistics = {"mean": jnp.full(5, running), "var": jnp.zeros(5)}

    (of_params, of_x), (y, changed) = batch_norm_gradients(
        params, jnp.asarray(x), statistics, weight
    )
    expected = in_float64(x, weight)
    np.testing.assert_allclose(y, expected.y, atol=1e-5)
    np.testing.assert_allclose(of_x, expected.of_x, atol=1e-5 * np.abs(expected.of_x).max())
    np.testing.assert_allclose(
        of_params["scale"], expected.of_scale, atol=1e-5 * np.abs(expected.of_scale).max()
    )
    np.testing.assert_allclose(changed["var"], expected.var / 2, rtol=1e-5)
    np.testing.assert_allclose(changed["mean"], (running + expected.mean) / 2, rtol=1e-6, atol=1e-6)


def test_the_variance_of_a_batch_whose_sample_is_all_outliers():
    # The middle of every image is 1,000 deviations of the other positions away.
    x = np.random.default_rng(0).standard_normal((4, 33, 33, 2)).astype(np.float32)
    x[:, 16, 16] += 1000
    variables = {
        "params": {"scale": jnp.ones(2), "bias": jnp.zeros(2)},
        "batch_stats": {"mean": jnp.zeros(2), "var": jnp.zeros(2)},
    }
    _, changed = layers.BatchNorm(momentum=0.0, unbiased=False).apply(
        variables, jnp.asarray(x), train=True, mutable=["batch_stats"]
    )
    np.testing.assert_allclose(
        changed["batch_stats"]["var"], x.astype(np.float64).var((0, 1, 2)), rtol=2e-4
    )


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16])
def test_statistics_of_low_precision_activations_are_kept_in_float32(kind):
    x = jnp.asarray(np.random.default_rng(0).normal(3, 1, (4, 9, 9, 2)), kind)
    variables = {
        "params": {"scale": jnp.ones(2), "bias": jnp.zeros(2)},
        "batch_stats": {"mean": jnp.zeros(2), "var": jnp.zeros(2)},
    }
    _, changed = layers.BatchNorm(momentum=0.0, unbiased=False).apply(
        variables, x, train=True, mutable=["batch_stats"]
    )
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(changed["batch_stats"]["mean"], exact.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(changed["batch_stats"]["var"], exact.var((0, 1, 2)), rtol=1e-5)


def test_batch_norm_far_from_zero_over_eight_devices_as_on_one():
    rng = np.random.default_rng(0)
    x, weight = (
        (1000 + rng.standard_normal((16, 4, 4, 3))).astype(np.float32),
        rng.standard_normal((16, 4, 4, 3)).astype(np.float32),
    )
    variables = layers.BatchNorm().init(jax.random.key(0), jnp.asarray(x), train=True)

    @jax.jit
    def gradient(x):
        def loss(x):
            y, changed = layers.BatchNorm().apply(variables, x, train=True, mutable=["batch_stats"])
            return (y * weight).sum(), (y, changed)

        return jax.grad(loss, has_aux=True)(x)

    split = jax.device_put(x, meshes.batched(meshes.create()))
    for everywhere, alone in zip(
        jax.tree.leaves(gradient(split)), jax.tree.leaves(gradient(jnp.asarray(x))), strict=True
    ):
        np.testing.assert_allclose(everywhere, alone, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("mean", [0, 1000, 1e5])
def test_running_statistics_far_from_zero_normalise_exactly(mean):
    x = (mean + np.random.default_rng(0).standard_normal((4, 5, 5, 3))).astype(np.float32)
    exact = x.astype(np.float64)
    statistics = {"mean": jnp.full(3, mean, jnp.float32), "var": jnp.full(3, 4.0)}
    variables = {
        "params": {"scale": jnp.full(3, 2.0), "bias": jnp.full(3, 0.5)},
        "batch_stats": statistics,
    }
    y = jax.jit(lambda x: layers.BatchNorm().apply(variables, x, train=False))(jnp.asarray(x))
    np.testing.assert_allclose(y, (exact - mean) / np.sqrt(4 + 1e-5) * 2 + 0.5, atol=1e-6)
