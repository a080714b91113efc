import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from transfer_jax.models import convolution


@pytest.mark.parametrize("kernel", [(1, 1), (1, 7), (7, 1), (3, 3), (5, 5)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("same", [False, True])
def test_padding_and_stride_are_those_of_lax(kernel, stride, same):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 9, 11, 5)), jnp.float32)
    w = jnp.asarray(rng.normal(size=(*kernel, 5, 4)), jnp.float32)
    padding = [((k - 1) // 2,) * 2 if same else (0, 0) for k in kernel]
    expected = lax.conv_general_dilated(
        x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(convolution.convolve(x, w, stride, same), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "features"),
    [
        ((2, 4, 4, 3), 4),
        ((2, 2, 2, 5), 4),
        ((1, 3, 6, 1), 4),
        ((2, 9, 12, 4), 4),
        ((1, 8, 8, 32), 64),
    ],
)
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_all_convolutions_are_equal_with_their_gradients(shape, features, kernel):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    w = jnp.asarray(
        rng.normal(size=(kernel, kernel, shape[-1], features)) / np.sqrt(shape[-1]), jnp.float32
    )
    weight = jnp.asarray(rng.normal(size=(*shape[:3], features)) / np.sqrt(features), jnp.float32)

    def value_and_gradients(formula):
        value, pull = jax.vjp(formula, x, w)
        return [value, *pull(weight)]

    expected = value_and_gradients(convolution.convolve_direct)
    formulas = [convolution.convolve_folded, convolution.convolve_wide, convolution.convolve]
    formulas += [convolution.convolve_paired] if shape[2] % 2 == 0 else []
    for formula in formulas:
        for actual, exact in zip(value_and_gradients(formula), expected, strict=True):
            np.testing.assert_allclose(actual, exact, rtol=1e-4, atol=1e-4)
    strided = convolution.convolve_direct(x, w, stride=2)
    np.testing.assert_allclose(convolution.convolve(x, w, stride=2), strided, rtol=1e-4, atol=1e-4)
    assert strided.shape[1] == (shape[1] + 1) // 2
