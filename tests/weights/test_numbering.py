"""Networks whose children nn.Sequential has numbered, as in RadImageNet's PyTorch files."""

import re

import numpy as np
import pytest
from containers import linear, tensors, under, without_head, written

from transfer_jax import weights
from transfer_jax.core.errors import CheckpointError

# torchvision's children in order; those without tensors take numbers, too.
RESNET = [
    "conv1",
    "bn1",
    "relu",
    "maxpool",
    "layer1",
    "layer2",
    "layer3",
    "layer4",
    "avgpool",
    "fc",
]
STEM = [
    "Conv2d_1a_3x3",
    "Conv2d_2a_3x3",
    "Conv2d_2b_3x3",
    "maxpool1",
    "Conv2d_3b_1x1",
    "Conv2d_4a_3x3",
    "maxpool2",
]
MIDDLE = [f"Mixed_{block}" for block in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e")]
END = ["Mixed_7a", "Mixed_7b", "Mixed_7c", "avgpool", "dropout", "fc"]
INCEPTION = [*STEM, *MIDDLE, "AuxLogits", *END]
WITHOUT_AUXILIARY = [*STEM, *MIDDLE, *END]
WITHOUT_POOLS = [
    child for child in WITHOUT_AUXILIARY if "pool" not in child
]  # torchvision before 0.6
FEATURES = [
    "conv0",
    "norm0",
    "relu0",
    "pool0",
    *(f"{a}{i}" for i in (1, 2, 3) for a in ("denseblock", "transition")),
    "denseblock4",
    "norm5",
]


def numbered(made, children, prefix="backbone.", below=""):
    """The tensors of these children, under their numbers."""
    renamed = {}
    for name, value in made.items():
        child, _, rest = name.removeprefix(below).partition(".")
        if name.startswith(below) and child in children:
            renamed[f"{prefix}{children.index(child)}.{rest}"] = value
    return renamed


def same(a, b):
    """Whether two trees of variables hold the same numbers."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(np.array_equal(a, b))


@pytest.mark.parametrize(
    ("network", "children", "below", "note"),
    [
        ("resnet50", RESNET[:-1], "", "0 is conv1, 7 is layer4"),
        ("resnet50", RESNET, "", "0 is conv1, 9 is fc"),
        ("resnet18", RESNET[:-2], "", "0 is conv1, 7 is layer4"),
        ("densenet121", ["features"], "", "0 is features, 0 is features"),
        ("densenet121", ["features", "classifier"], "", "0 is features, 1 is classifier"),
        ("densenet121", FEATURES, "features.", "0 is features.conv0, 11 is features.norm5"),
        ("inception_v3", INCEPTION, "", "0 is Conv2d_1a_3x3, 21 is fc"),
        ("inception_v3", WITHOUT_AUXILIARY[:-1], "", "0 is Conv2d_1a_3x3, 17 is Mixed_7c"),
        ("inception_v3", WITHOUT_POOLS, "", "0 is Conv2d_1a_3x3, 17 is fc"),
    ],
)
def test_children_are_told_by_their_order(tmp_path, network, children, below, note):
    made, prefix = tensors(network), "" if network == "resnet18" else "backbone."
    file = numbered(made, children, prefix, below)
    loaded = weights.read(written(tmp_path / "n.safetensors", file), network)
    kept = {
        name: value
        for name, value in made.items()
        if name.removeprefix(below).split(".")[0] in children
    }
    plain = weights.load(written(tmp_path / "p.safetensors", kept), network)
    assert same(loaded.variables, plain)
    said = (f"children of nn.Sequential named by their order: {note}",)
    assert loaded.card.recognised == ((f"prefix {prefix} removed",) if prefix else ()) + said
    assert ("head" in loaded.variables["params"]) == bool({"fc", "classifier"} & set(children))


def test_a_numbered_network_of_which_a_child_is_missing_or_strange_is_not_read(tmp_path):
    made = numbered(without_head(tensors("resnet18")), RESNET)
    for file in (
        {name: value for name, value in made.items() if not name.startswith("backbone.1.")},
        {name: value for name, value in made.items() if name != "backbone.5.1.conv1.weight"},
        {**made, "backbone.5.9.conv1.weight": np.ones((1, 1, 1, 1), np.float32)},
        {**made, "backbone.3.weight": np.ones((64, 64, 3, 3), np.float32)},
        {**made, "backbone.1234567890123.weight": np.ones((64, 64, 3, 3), np.float32)},
    ):
        with pytest.raises(CheckpointError, match="does not fit resnet18"):
            weights.read(written(tmp_path / "n.safetensors", file), "resnet18")


def test_heads_after_numbered_children(tmp_path):
    made = numbered(without_head(tensors("resnet18")), RESNET, "")
    file = {**made, **linear("10.0", 512, 8), **linear("10.2", 8, 3)}
    path = written(tmp_path / "n.safetensors", file)
    assert (
        weights.read(path, "resnet18", head=False).card.recognised[-1]
        == "head 10.0.*, 10.2.* ignored"
    )
    with pytest.raises(
        CheckpointError, match=re.escape("not the network's one linear layer, but 10.0.*, 10.2.*")
    ):
        weights.read(path, "resnet18")
    aside = {**under("backbone.", made), **linear("classifier.linear", 512, 3)}
    path = written(tmp_path / "n.safetensors", aside)
    assert (
        weights.read(path, "resnet18", head=False).card.recognised[-1]
        == "head classifier.linear.* ignored"
    )
