import jax
import jax.numpy as jnp
import pytest

from transfer_jax import models, weights
from transfer_jax.core.errors import CheckpointError


@pytest.fixture
def saved(tmp_path):
    module = models.create("cbr_tiny", 3)
    variables = module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False)
    weights.save(tmp_path / "w", variables)
    return tmp_path / "w", variables


def test_round_trip_is_bit_equal(saved):
    path, variables = saved
    loaded = weights.load(path, "cbr_tiny")
    assert jax.tree.structure(loaded) == jax.tree.structure(variables)
    assert all(
        (a == b).all()
        for a, b in zip(jax.tree.leaves(loaded), jax.tree.leaves(variables), strict=True)
    )


def test_what_is_there_is_not_overwritten(saved):
    path, variables = saved
    weights.save(path, jax.tree.map(jnp.zeros_like, variables))
    assert float(jnp.abs(weights.load(path, "cbr_tiny")["params"]["conv1"]["kernel"]).max()) > 0


def test_another_network_is_an_error_that_lists_all(saved):
    with pytest.raises(
        CheckpointError,
        match=(
            r"does not fit cbr_small: params/conv1/kernel has shape \(5, 5, 3, 32\), not \(7, 7,"
            r" 3, 32\); params/conv2"
        ),
    ):
        weights.load(saved[0], "cbr_small")
    with pytest.raises(
        CheckpointError, match=r"missing batch_stats/bn5/mean.*missing params/bn5/bias"
    ):
        weights.load(saved[0], "cbr_larget")


def test_missing_and_damaged_folders_are_errors(saved, tmp_path):
    with pytest.raises(CheckpointError, match="none does not exist"):
        weights.load(tmp_path / "none", "cbr_tiny")
    with pytest.raises(CheckpointError, match="holds no saved weights"):
        weights.load(tmp_path / "none", "cbr_tiny", "orbax")
    for file in (saved[0] / "variables").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    with pytest.raises(
        CheckpointError, match="is damaged and cannot be read as weights of cbr_tiny"
    ):
        weights.load(saved[0], "cbr_tiny")
