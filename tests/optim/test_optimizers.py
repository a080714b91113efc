import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from transfer_jax import optim
from transfer_jax.core import errors
from transfer_jax.optim import schedules


@pytest.mark.parametrize(
    ("name", "options", "reference"),
    [
        ("adam", {"b1": 0.8}, optax.adam(0.01, b1=0.8)),
        ("sgd", {}, optax.sgd(0.01, momentum=0.9)),
        ("sgd", {"momentum": 0.0}, optax.sgd(0.01)),
    ],
)
def test_equal_to_optax_with_rate_and_decay_as_arrays(name, options, reference):
    reference = optax.chain(optax.add_decayed_weights(0.1), reference)
    optimizer = optim.build(name, **options, schedule=schedules.build("constant", 10))
    params = {"a": jnp.arange(4.0)}
    ours, expected = params, params
    state, reference_state = optimizer.init(params), reference.init(params)
    update = jax.jit(functools.partial(optimizer.update, factors={"a": 1.0}))
    for step in range(5):
        gradients = {"a": jnp.sin(jnp.arange(4.0) + step)}
        ours, state = update(gradients, state, ours, jnp.int32(step), optim.hyper(0.01, 0.1))
        changes, reference_state = reference.update(gradients, reference_state, expected)
        expected = optax.apply_updates(expected, changes)
    np.testing.assert_allclose(ours["a"], expected["a"], rtol=1e-6)
    assert update._cache_size() == 1


def test_the_rate_is_the_members_times_the_schedules_times_the_parameters():
    schedule = schedules.build("cosine", 4)
    optimizer = optim.build("sgd", momentum=0.0, schedule=schedule)
    params = {"a": jnp.ones(2), "b": jnp.ones(2), "frozen": jnp.ones(2)}
    gradients = {name: jnp.array([1.0, -2.0]) for name in params}
    factors = {"a": 1.0, "b": 0.5, "frozen": 0.0}
    for step in (0, 2):
        moved, _ = optimizer.update(
            gradients,
            optimizer.init(params),
            params,
            jnp.int32(step),
            optim.hyper(0.1, 0.0),
            factors,
        )
        rate = 0.1 * {0: 1.0, 2: 0.5}[step]  # half of the way down the cosine
        for name, factor in factors.items():
            expected = 1 - rate * factor * np.array([1.0, -2.0])
            np.testing.assert_allclose(moved[name], expected, rtol=1e-6)


def test_an_unknown_optimiser_is_an_error_with_the_nearest_name():
    with pytest.raises(errors.ConfigError, match="unknown optimizer 'adamm': did you mean 'adam'"):
        optim.build("adamm", schedule=schedules.build("constant", 5))
