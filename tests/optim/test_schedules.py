import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.optim import schedules


def values(name, steps, warmup=0):
    schedule = schedules.build(name, steps, warmup)
    return np.array([float(schedule(jnp.int32(step))) for step in range(steps + 1)])


def test_cosine_rises_linearly_and_falls_to_zero():
    cosine = values("cosine", 100, warmup=10)
    np.testing.assert_allclose(cosine[:10], np.arange(1, 11) / 11, rtol=1e-5)
    expected = (1 + np.cos(np.pi * np.arange(91) / 90)) / 2
    np.testing.assert_allclose(cosine[10:], expected, atol=1e-6)


def test_constant_rises_linearly_and_stays():
    np.testing.assert_array_equal(values("constant", 5), 1.0)
    np.testing.assert_allclose(values("constant", 4, warmup=2), [1 / 3, 2 / 3, 1, 1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "warmup", "message"),
    [
        ("cosinus", 0, "unknown schedule 'cosinus': did you mean 'cosine'"),
        ("cosine", 5, "warmup=5 must lie in 0..4"),
        ("cosine", -1, "warmup=-1 must lie in 0..4"),
    ],
)
def test_impossible_schedules(name, warmup, message):
    with pytest.raises(ConfigError, match=message):
        schedules.build(name, 5, warmup)
