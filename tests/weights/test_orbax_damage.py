"""Damaged folders of weights: what comes out is what was saved, or an error that names the folder.

TRANSFER_JAX_FLIPS=2000 python -m pytest -n 0 tests/weights/test_orbax_damage.py tries many flips.
"""

import json
import shutil

import damage
import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from transfer_jax import models, weights
from transfer_jax.core import digest
from transfer_jax.core.errors import CheckpointError
from transfer_jax.core.normalisation import NAMED
from transfer_jax.weights import Card

# When one tensor cannot be read, Orbax leaves the reading of the others behind.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

OPTIONS = {"widths": (4, 4, 8, 8)}
CARD = Card("cbr_tiny", "torchvision", NAMED["imagenet"], "stated", OPTIONS, metrics={"auc": 0.75})


@pytest.fixture(scope="module")
def variables():
    shapes = models.shapes(models.create("cbr_tiny", 2, **OPTIONS), 32)
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.random(leaf.shape, np.float32), shapes)


@pytest.fixture
def folder(variables, tmp_path):
    weights.save(tmp_path / "w", variables, CARD)
    return tmp_path / "w"


def same(loaded, variables):
    return digest.of_tensors(loaded) == digest.of_tensors(variables)


def test_single_bit_flips_never_give_other_weights_or_another_card(folder, variables):
    refused = trials = 0
    for damaged in damage.single_bits(folder, default=24):
        with damaged as path:
            trials += 1
            loaded, message = damage.outcome(
                lambda: weights.read(folder, "cbr_tiny"), CheckpointError
            )
            refused += message is not None
            if message is None:
                assert same(loaded.variables, variables), path
                assert loaded.card == CARD, path
            else:
                assert str(folder) in message, path
    assert 0 < refused < trials


def test_a_changed_number_in_the_card_is_an_error(folder):
    card = folder / "card.json"
    card.write_text(card.read_text().replace("0.485", "0.486"))
    for read in (lambda: weights.read(folder, "cbr_tiny"), lambda: weights.stated_network(folder)):
        with pytest.raises(CheckpointError, match=r"card\.json has changed since the weights were"):
            read()
    card.write_text(json.dumps(CARD.to_json()))  # the same values, laid out otherwise
    assert weights.read(folder, "cbr_tiny").card == CARD


def test_a_card_that_is_gone_or_was_never_there_is_an_error(folder, variables, tmp_path):
    card = folder / "card.json"
    weights.save(tmp_path / "bare", variables)
    shutil.copy(card, tmp_path / "bare")
    with pytest.raises(CheckpointError, match=r"card\.json has changed"):
        weights.read(tmp_path / "bare", "cbr_tiny")
    card.unlink()
    with pytest.raises(CheckpointError, match=r"card\.json cannot be read"):
        weights.read(folder, "cbr_tiny")


def test_tensors_of_other_weights_are_an_error_that_names_them(folder, variables, tmp_path):
    variables["params"]["conv2"]["kernel"][0, 0, 0, 0] += 1
    weights.save(tmp_path / "other", variables, CARD)
    shutil.rmtree(folder / "variables")
    shutil.copytree(tmp_path / "other" / "variables", folder / "variables")
    with pytest.raises(CheckpointError, match=r"w is damaged, .*\(params/conv2/kernel is float32 "):
        weights.load(folder, "cbr_tiny")


def test_a_folder_without_a_digest_is_refused(folder):
    (folder / "digest.json").unlink()
    for read in (lambda: weights.read(folder, "cbr_tiny"), lambda: weights.stated_network(folder)):
        with pytest.raises(CheckpointError, match=r"w has no digest\.json, .* an earlier version"):
            read()


def test_a_digest_of_a_later_version_is_refused(folder):
    path = folder / "digest.json"
    fields = digest.unseal(json.loads(path.read_text()))
    path.write_text(json.dumps(digest.seal({**fields, "format": 2})))
    with pytest.raises(CheckpointError, match=r"digest\.json is of a later version"):
        weights.load(folder, "cbr_tiny")


def test_a_copy_and_tensors_that_were_saved_again_are_the_same_weights(folder, variables, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert same(weights.load(copy, "cbr_tiny"), variables)
    shutil.rmtree(copy / "variables")
    with ocp.PyTreeCheckpointer(use_ocdbt=False) as checkpointer:  # another layout of files
        checkpointer.save(copy / "variables", variables)
    assert same(weights.load(copy, "cbr_tiny"), variables)
