"""Random initialisation, with and without a scheme."""

import jax
import numpy as np
import pytest
from small_networks import NETWORKS, convolutions, equal, filled, rest

from transfer_jax import inits
from transfer_jax.inits.schemes import SCHEMES

KEY = jax.random.key(0)


def test_random_takes_nothing(pair):
    own, source = pair
    assert equal(inits.random(KEY, own, source), own)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_draws_every_kernel_with_its_variance(cbr, scheme):
    own, _ = cbr
    new = inits.random(KEY, own, scheme=scheme)
    assert equal(rest(new), rest(own))
    for drawn in convolutions(new).values():
        kh, kw, c, d = drawn.shape
        fan_in, fan_out = kh * kw * c, kh * kw * d
        variance = {
            "he": 2 / fan_in,
            "glorot": 2 / (fan_in + fan_out),
            "lecun": 1 / fan_in,
            "tf": 2 / (fan_in + fan_out),
        }[scheme.split("_")[0]]
        # Five standard errors; both distributions have lighter tails than a normal one, whose std
        # has error s / sqrt(2 n).
        assert abs(drawn.std() - variance**0.5) < 5 * (variance / (2 * drawn.size)) ** 0.5
        assert abs(drawn.mean()) < 5 * (variance / drawn.size) ** 0.5
        # Uniform within sqrt(3) standard deviations; normal cut off at two, of what is stretched
        # by 1 / 0.8796.
        bound = 2 / 0.8796 if scheme.endswith("normal") else 3**0.5
        assert 0.9 * bound < np.abs(drawn).max() / variance**0.5 < 1.001 * bound


def test_tf_default_is_glorot_uniform_and_biases_stay():
    own = filled(seed=0, **NETWORKS["resnet50_keras"])
    new = inits.random(KEY, own, scheme="tf_default")
    assert equal(new, inits.random(KEY, own, scheme="glorot_uniform"))
    for path, tensor in convolutions(new).items():
        assert np.array_equal(tensor, convolutions(own)[path]) == (path[-1] == "bias")
