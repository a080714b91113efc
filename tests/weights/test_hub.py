"""Addresses on the Hugging Face hub, through its own library and a cache as that library lays it
out; no network.
"""

import json
import sys

import numpy as np
import pytest
from golden import reference
from huggingface_hub import constants

from transfer_jax import weights
from transfer_jax.core.errors import CheckpointError, ConfigError
from transfer_jax.weights import formats, hub


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with timm/resnet18.tv_in1k in it, and the library offline."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository, commit = (
        tmp_path / "models--timm--resnet18.tv_in1k",
        "0123456789abcdef0123456789abcdef01234567",
    )
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    formats.write_safetensors(
        snapshot / "model.safetensors",
        reference.tensors(reference.read("torchvision/resnet18")),
        {},
    )
    (snapshot / "config.json").write_text(
        json.dumps(
            {
                "architecture": "resnet18",
                "pretrained_cfg": {"mean": [0.4, 0.4, 0.4], "std": [0.2, 0.2, 0.2]},
            }
        )
    )
    return snapshot


def test_weights_and_normalisation_come_from_the_cache(cache):
    for address in (
        "hf://timm/resnet18.tv_in1k",
        "hf://timm/resnet18.tv_in1k@main",
        "hf://timm/resnet18.tv_in1k/model.safetensors",
    ):
        loaded = weights.read(address, "resnet18", "timm")
        assert loaded.card.normalisation.mean == (0.4, 0.4, 0.4)
    np.testing.assert_array_equal(
        loaded.variables["params"]["head"]["bias"],
        formats.read(cache / "model.safetensors").tensors["fc.bias"],
    )


def test_a_model_in_several_files(cache):
    made = formats.read(cache / "model.safetensors").tensors
    (cache / "model.safetensors").unlink()
    places = {
        name: "a.safetensors" if name.startswith("conv") else "b.safetensors" for name in made
    }
    for file in set(places.values()):
        formats.write_safetensors(
            cache / file, {name: made[name] for name in made if places[name] == file}, {}
        )
    (cache / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    loaded = weights.read("hf://timm/resnet18.tv_in1k", "resnet18")
    assert loaded.card.recognised == ("read from 2 files of model.safetensors.index.json",)
    np.testing.assert_array_equal(loaded.variables["params"]["head"]["bias"], made["fc.bias"])
    (cache / "b.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"hf://timm/resnet18\.tv_in1k cannot be had"):
        weights.read("hf://timm/resnet18.tv_in1k", "resnet18")


def test_what_is_not_there(cache, monkeypatch):
    with pytest.raises(
        CheckpointError,
        match=r"hf://timm/none cannot be had: no model.safetensors and no pytorch_model.bin",
    ):
        weights.load("hf://timm/none", "resnet18")
    with pytest.raises(ConfigError, match="is not an address on the hub"):
        weights.load("hf://timm", "resnet18")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        ConfigError,
        match=(
            r"needs the package huggingface_hub: install it with python -m pip install -e"
            r" '.\[hub\]'"
        ),
    ):
        hub.fetch("hf://timm/resnet18.tv_in1k")
