"""Exported files and folders: whole, or an error that names the file.

TRANSFER_JAX_FLIPS=2000 python -m pytest -n 0 tests/weights/test_sealing.py tries many flips.
"""

import json

import damage
import jax
import numpy as np
import pytest
import safetensors.numpy

from transfer_jax import models, weights
from transfer_jax.core import digest
from transfer_jax.core.errors import CheckpointError
from transfer_jax.core.normalisation import NAMED
from transfer_jax.weights import Card, sealing

CARDS = {
    "cbr_tiny": Card("cbr_tiny", "torchvision", NAMED["caffe"], "stated", {"widths": (4, 4, 8, 8)}),
    "resnet50": Card("resnet50", "keras", NAMED["caffe_over_255"], "stated"),
}


@pytest.fixture(scope="module")
def variables():
    """Name -> variables; a Keras file has to be of a whole network."""
    shapes = {
        "cbr_tiny": models.shapes(models.create("cbr_tiny", 2, widths=(4, 4, 8, 8)), 32),
        "resnet50": models.shapes(models.create("resnet50", 2, "keras"), 32),
    }
    rng = np.random.default_rng(0)
    draw = lambda leaf: rng.random(leaf.shape, np.float32)  # noqa: E731
    return {name: jax.tree.map(draw, tree) for name, tree in shapes.items()}


def export(variables, name, path):
    card = CARDS[name]
    return weights.export(variables[name], name, path, card.layout, card=card, **card.options)


def same(loaded, variables, name):
    expected = digest.of_tensors(variables[name])
    return digest.of_tensors(loaded.variables) == expected and loaded.card == CARDS[name]


def test_single_bit_flips_never_give_other_weights_or_another_card(variables, tmp_path):
    export(variables, "cbr_tiny", tmp_path / "hub")
    refused = trials = 0
    for damaged in damage.single_bits(tmp_path / "hub", default=60):
        with damaged as path:
            trials += 1
            loaded, message = damage.outcome(
                lambda: weights.read(tmp_path / "hub", "cbr_tiny"), CheckpointError
            )
            refused += message is not None
            assert str(tmp_path) in message if message else same(loaded, variables, "cbr_tiny"), (
                path
            )
    assert 0 < refused < trials


def test_a_keras_file_is_compared_with_the_config_beside_it(variables, tmp_path):
    file = export(variables, "resnet50", tmp_path / "hub")
    assert same(weights.read(tmp_path / "hub" / "model.h5", "resnet50"), variables, "resnet50")
    with damage.flipped(file, file.stat().st_size // 2):
        with pytest.raises(CheckpointError, match=r"model\.h5 is damaged or was changed"):
            weights.read(file, "resnet50")
        with pytest.raises(CheckpointError, match=r"model\.h5 is damaged or was changed"):
            weights.stated_network(file)
    config = file.with_name("config.json")
    config.write_text(config.read_text().replace('"stated"', '"guessed"'))
    with pytest.raises(CheckpointError, match=r"the digest in .*config\.json: export the weights"):
        weights.read(file, "resnet50")


def test_weights_that_were_changed_on_purpose_are_read_once_the_digest_is_gone(variables, tmp_path):
    file = export(variables, "cbr_tiny", tmp_path / "a.safetensors")
    with safetensors.safe_open(file, "numpy") as opened:
        metadata = dict(opened.metadata())
    tensors = safetensors.numpy.load_file(file)
    name = next(name for name, tensor in tensors.items() if tensor.ndim)
    tensors[name] = tensors[name] + 1
    safetensors.numpy.save_file(tensors, file, metadata)
    with pytest.raises(CheckpointError, match=r"take 'transfer_jax_digest' out of a\.safetensors"):
        weights.read(file, "cbr_tiny")
    del metadata[sealing.KEY]
    safetensors.numpy.save_file(tensors, file, metadata)
    assert weights.read(file, "cbr_tiny").card == CARDS["cbr_tiny"]


def test_another_file_beside_an_exported_config_is_not_held_to_its_digest(variables, tmp_path):
    file = export(variables, "cbr_tiny", tmp_path / "hub")
    tensors = safetensors.numpy.load_file(file)
    name = next(name for name, tensor in tensors.items() if tensor.ndim)
    tensors[name] = tensors[name] + 1
    safetensors.numpy.save_file(tensors, tmp_path / "hub" / "tuned.safetensors")
    loaded = weights.read(tmp_path / "hub" / "tuned.safetensors", "cbr_tiny")
    assert loaded.card == CARDS["cbr_tiny"]
    assert sealing.KEY in json.loads(file.with_name("config.json").read_text())
