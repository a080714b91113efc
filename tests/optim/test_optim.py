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
    ours, theirs = params, params
    state, their_state = optimizer.init(params), reference.init(params)
    update = jax.jit(functools.partial(optimizer.update, factors={"a": 1.0}))
    for step in range(5):
        gradients = {"a": jnp.sin(jnp.arange(4.0) + step)}
        ours, state = update(gradients, state, ours, jnp.int32(step), optim.hyper(0.01, 0.1))
        changes, their_state = reference.update(gradients, their_state, theirs)
        theirs = optax.apply_updates(theirs, changes)
    np.testing.assert_allclose(ours["a"], theirs["a"], rtol=1e-6)
    assert update._cache_size() == 1


def test_schedules():
    cosine = schedules.build("cosine", 100, warmup=10)
    values = np.array([float(cosine(jnp.int32(i))) for i in range(101)])
    np.testing.assert_allclose(values[:10], np.arange(1, 11) / 11, rtol=1e-5)
    assert values[10] == 1.0
    assert abs(values[100]) < 1e-6
    assert (np.diff(values[10:]) <= 0).all()
    assert float(schedules.build("constant", 5)(jnp.int32(4))) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optim.build("adamm", schedule=schedules.build("constant", 5)), "did you mean 'adam'"),
        (lambda: schedules.build("cosinus", 5), "did you mean 'cosine'"),
        (lambda: schedules.build("cosine", 5, warmup=5), "warmup=5 must lie in 0..4"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(errors.ConfigError, match=message):
        call()
