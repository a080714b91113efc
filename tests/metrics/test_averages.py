import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.metrics import averages


def test_means_of_what_was_added_since_they_were_empty():
    state = averages.empty(("loss", "accuracy"))
    add = jax.jit(averages.add)
    for value in (1.0, 2.0, 6.0):
        state = add(state, {"accuracy": jnp.float32(value / 10), "loss": jnp.float32(value)})
    assert averages.compute(state) == pytest.approx({"loss": 3.0, "accuracy": 0.3})
    assert np.isnan(list(averages.compute(averages.empty(["x"])).values())).all()


def test_names_must_fit():
    with pytest.raises(ValueError, match="averages of"):
        averages.add(averages.empty(["loss"]), {"accuracy": jnp.float32(0)})
