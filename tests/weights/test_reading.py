"""Strictness: what a file must hold to be read, what is told where it does not, and what travels
with it.
"""

import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from golden import reference

from transfer_jax import models, weights
from transfer_jax.core.errors import CheckpointError, ConfigError
from transfer_jax.core.normalisation import NAMED, Normalisation
from transfer_jax.weights import formats

EVERY = [(name, layout) for name in models.names() for layout in models.layouts(name)]


def variables_of(name, outputs=5, layout="torchvision", channels=3, **options):
    module, side = models.create(name, outputs, layout, **options), models.least_side(name)
    shapes = jax.eval_shape(
        lambda: module.init(jax.random.key(0), jnp.zeros((1, side, side, channels)), train=False)
    )
    leaves, tree = jax.tree.flatten(shapes)
    rng = np.random.default_rng(0)
    return jax.tree.unflatten(
        tree, [jnp.asarray(rng.standard_normal(leaf.shape), jnp.float32) for leaf in leaves]
    )


def equal(a, b):
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.fixture(scope="module")
def resnet():
    """A resnet18's tensors as torchvision names them."""
    return reference.tensors(reference.read("torchvision/resnet18"))


def written(path, tensors):
    formats.write_safetensors(path, tensors, {})
    return path


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_round_trips_are_bit_equal(name, layout, tmp_path):
    variables = variables_of(name, layout=layout)
    path = tmp_path / ("w.h5" if layout == "keras" else "w.safetensors")
    weights.export(variables, name, path, layout)
    assert equal(weights.load(path, name), variables)
    weights.save(tmp_path / "orbax", variables)
    assert equal(weights.load(tmp_path / "orbax", name), variables)


@pytest.mark.parametrize(
    ("outputs", "options"),
    [({"view": 3, "sex": 1}, {}), (8, {"hidden": (16, 4)}), (2, {"widths": (64, 128, 256, 512)})],
)
def test_round_trips_of_other_heads_and_widths(outputs, options, tmp_path):
    variables = variables_of("cbr_tiny", outputs, **options)
    weights.export(
        variables, "cbr_tiny", tmp_path / "w.safetensors", num_outputs=outputs, **options
    )
    assert equal(
        weights.load(tmp_path / "w.safetensors", "cbr_tiny", num_outputs=outputs, **options),
        variables,
    )
    left = weights.load(
        tmp_path / "w.safetensors", "cbr_tiny", num_outputs=outputs, head=False, **options
    )
    assert set(left["params"]) == set(variables["params"]) - {"head"}
    shapes = {k: v for k, v in options.items() if k == "widths"}
    assert equal(
        weights.load(tmp_path / "w.safetensors", "cbr_tiny", head=False, **shapes), left
    )  # whatever the head is


def test_exported_names_shapes_and_types_are_the_librarys(tmp_path):
    for name in ("resnet18", "resnet50", "densenet121", "inception_v3"):
        weights.export(variables_of(name, 1000), name, tmp_path / f"{name}.safetensors")
        found = formats.read(tmp_path / f"{name}.safetensors").tensors
        assert {k: list(v.shape) for k, v in found.items()} == dict(
            map(tuple, reference.read(f"torchvision/{name}")["tensors"])
        )
        assert {str(v.dtype) for k, v in found.items()} == {"float32", "int64"}


def test_every_fault_is_listed_at_once(resnet, tmp_path):
    broken = {
        k: v for k, v in resnet.items() if k not in ("conv1.weight", "layer1.0.bn1.running_var")
    }
    broken |= {
        "layer5.0.conv1.weight": np.zeros((1, 1, 1, 1), np.float32),
        "fc.weight": resnet["fc.weight"][:, :7],
    }
    with pytest.raises(CheckpointError) as caught:
        weights.load(written(tmp_path / "a.safetensors", broken), "resnet18")
    assert str(caught.value).endswith(
        "a.safetensors does not fit resnet18 in torchvision's layout: 2 missing: conv1.weight,"
        " layer1.0.bn1.running_var; 1 extra: layer5.0.conv1.weight; 1 misshapen: fc.weight (1000,"
        " 7), not (1000, 512)"
    )


@pytest.mark.parametrize(
    "other", ["resnet34", "resnet50", "densenet121", "inception_v3", "cbr_tiny"]
)
def test_the_wrong_network(resnet, tmp_path, other):
    path = written(tmp_path / "a.safetensors", resnet)
    with pytest.raises(CheckpointError, match=f"does not fit {other}"):
        weights.load(path, other)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_floats_are_cast_on_request_alone(resnet, tmp_path, dtype):
    path = written(
        tmp_path / "a.safetensors",
        {k: v.astype(dtype) if v.dtype == np.float32 else v for k, v in resnet.items()},
    )
    with pytest.raises(
        CheckpointError,
        match=rf"is not in float32: all 102 tensors are {np.dtype(dtype)}; cast=True",
    ):
        weights.load(path, "resnet18")
    variables = weights.load(path, "resnet18", cast=True)
    np.testing.assert_array_equal(
        variables["params"]["head"]["bias"], resnet["fc.bias"].astype(dtype).astype(np.float32)
    )


def test_numbers_that_cannot_be_weights(resnet, tmp_path):
    path = written(tmp_path / "a.safetensors", {**resnet, "bn1.bias": np.arange(64)})
    with pytest.raises(
        CheckpointError,
        match=r"holds numbers that cannot be weights: 1 of another type: bn1.bias int64$",
    ):
        weights.load(path, "resnet18", cast=True)
    path = written(
        tmp_path / "b.safetensors", {**resnet, "bn1.bias": np.full(64, np.nan, np.float32)}
    )
    with pytest.raises(CheckpointError, match=r"holds NaN or infinity: 1 not finite: bn1.bias"):
        weights.load(path, "resnet18")


def test_names_of_no_library(tmp_path):
    path = written(tmp_path / "a.safetensors", {"encoder": np.zeros(3, np.float32)})
    with pytest.raises(
        CheckpointError, match=r"neither as torchvision and timm nor as Keras \(encoder\)"
    ):
        weights.load(path, "resnet18")


def test_the_head_is_the_files_own_another_size_is_an_error_and_leaving_it_out_a_request(
    resnet, tmp_path
):
    path = written(tmp_path / "a.safetensors", resnet)
    assert weights.load(path, "resnet18")["params"]["head"]["kernel"].shape == (512, 1000)
    assert weights.load(path, "resnet18", num_outputs=1000)["params"]["head"]["kernel"].shape == (
        512,
        1000,
    )
    with pytest.raises(CheckpointError, match=r"has 1000 outputs, not 5: read it with head=False"):
        weights.load(path, "resnet18", num_outputs=5)
    assert "head" not in weights.load(path, "resnet18", num_outputs=5, head=False)["params"]
    without = written(
        tmp_path / "b.safetensors", {k: v for k, v in resnet.items() if not k.startswith("fc.")}
    )
    assert "head" not in weights.load(without, "resnet18", num_outputs=5)["params"]
    half = written(tmp_path / "c.safetensors", {k: v for k, v in resnet.items() if k != "fc.bias"})
    with pytest.raises(CheckpointError, match=r"1 missing: fc.bias$"):
        weights.load(half, "resnet18")
    weights.save(tmp_path / "orbax", weights.load(path, "resnet18"))
    with pytest.raises(CheckpointError, match="has 1000 outputs, not 5"):
        weights.load(tmp_path / "orbax", "resnet18", num_outputs=5)
    assert "head" not in weights.load(tmp_path / "orbax", "resnet18", head=False)["params"]


def test_inception_without_its_auxiliary_head(tmp_path):
    tensors = reference.tensors(reference.read("torchvision/inception_v3"))
    path = written(
        tmp_path / "a.safetensors",
        {k: v for k, v in tensors.items() if not k.startswith("AuxLogits")},
    )
    variables = weights.load(path, "inception_v3")
    assert "head" in variables["params"]
    assert "aux_head" not in variables["params"]
    part = written(
        tmp_path / "b.safetensors",
        {k: v for k, v in tensors.items() if k != "AuxLogits.conv0.conv.weight"},
    )
    with pytest.raises(CheckpointError, match=r"1 missing: AuxLogits.conv0.conv.weight$"):
        weights.load(part, "inception_v3")


def test_old_names_of_densenets_are_understood(tmp_path):
    tensors = reference.tensors(reference.read("torchvision/densenet121"))
    old = {
        k.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): v
        for k, v in tensors.items()
    }
    assert len(set(old) - set(tensors)) > 300
    new = weights.load(written(tmp_path / "new.safetensors", tensors), "densenet121")
    assert equal(weights.load(written(tmp_path / "old.safetensors", old), "densenet121"), new)
    tensors = reference.tensors(reference.read("keras/DenseNet121"))
    old = {
        k.replace("conv1_conv/", "conv1/conv/").replace("conv1_bn/", "conv1/bn/"): v
        for k, v in tensors.items()
    }
    assert set(old) - set(tensors)
    formats.write_keras(tmp_path / "new.h5", tensors)
    formats.write_keras(tmp_path / "old.h5", old)
    assert equal(
        weights.load(tmp_path / "old.h5", "densenet121"),
        weights.load(tmp_path / "new.h5", "densenet121"),
    )


def test_layouts_are_checked(resnet, tmp_path):
    path = written(tmp_path / "a.safetensors", resnet)
    assert equal(
        weights.load(path, "resnet18", "timm"), weights.load(path, "resnet18", "torchvision")
    )
    with pytest.raises(CheckpointError, match="has torchvision's names, not keras's"):
        weights.load(path, "resnet50", "keras")
    with pytest.raises(ConfigError, match=r"unknown layout 'pytorch' of weights"):
        weights.load(path, "resnet18", "pytorch")
    with pytest.raises(ConfigError, match="unknown network 'resnet19'"):
        weights.load(path, "resnet19")
    formats.write_keras(tmp_path / "a.h5", reference.tensors(reference.read("keras/ResNet50")))
    with pytest.raises(
        CheckpointError, match="has keras's names, but resnet18 has no layout 'keras'"
    ):
        weights.load(tmp_path / "a.h5", "resnet18")
    weights.save(tmp_path / "orbax", weights.load(path, "resnet18"))
    with pytest.raises(CheckpointError, match="is an Orbax folder"):
        weights.load(tmp_path / "orbax", "resnet18", "keras")


def test_a_stem_for_grey_images_is_the_sum(resnet, tmp_path):
    path = written(tmp_path / "a.safetensors", resnet)
    wide, grey = weights.load(path, "resnet18"), weights.load(path, "resnet18", channels=1)
    image = jnp.asarray(np.random.default_rng(0).normal(size=(2, 64, 64, 1)), jnp.float32)
    module = models.create("resnet18", 1000)
    forward = jax.jit(lambda v, x: module.apply(v, x, train=False)[0])
    one, three = forward(grey, image), forward(wide, jnp.broadcast_to(image, (2, 64, 64, 3)))
    np.testing.assert_allclose(one, three, atol=1e-4 * float(three.std()))
    np.testing.assert_array_equal(
        grey["params"]["conv1"]["kernel"], wide["params"]["conv1"]["kernel"].sum(2, keepdims=True)
    )
    weights.export(grey, "resnet18", tmp_path / "grey.safetensors")
    assert equal(weights.load(tmp_path / "grey.safetensors", "resnet18"), grey)
    with pytest.raises(CheckpointError, match="takes 1 channels and cannot be made to take 3"):
        weights.load(tmp_path / "grey.safetensors", "resnet18", channels=3)


def test_the_normalisation_is_what_the_file_its_config_or_its_library_says(resnet, tmp_path):
    path = written(tmp_path / "a.safetensors", resnet)
    card = weights.read(path, "resnet18").card
    assert (card.normalisation, card.normalisation_from[:7]) == (NAMED["imagenet"], "assumed")
    (tmp_path / "config.json").write_text(
        json.dumps({"pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}})
    )
    card = weights.read(path, "resnet18").card
    assert (card.normalisation.mean, card.normalisation_from) == (
        (0.5, 0.5, 0.5),
        "stated in config.json",
    )
    assert (
        weights.read(path, "resnet18", normalisation="caffe").card.normalisation == NAMED["caffe"]
    )
    (tmp_path / "config.json").write_text(json.dumps({"mean": [0.5], "std": [0.0]}))
    with pytest.raises(
        CheckpointError, match=r"config.json has a normalisation that cannot be used"
    ):
        weights.read(path, "resnet18")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config.json holds a card that is not JSON"):
        weights.read(path, "resnet18")
    for name, file, wanted in (
        ("resnet50", "ResNet50", "caffe"),
        ("densenet121", "DenseNet121", "imagenet"),
    ):
        formats.write_keras(
            tmp_path / "k" / "a.h5", reference.tensors(reference.read(f"keras/{file}"))
        )
        assert weights.read(tmp_path / "k" / "a.h5", name).card.normalisation == NAMED[wanted]


def test_a_card_travels_with_the_weights(tmp_path):
    own = Normalisation("own", (0.31, 0.32, 0.33), (0.2, 0.21, 0.22))
    card = weights.Card(
        "cbr_tiny", "torchvision", own, "of the training", data="chest: 10 images",
        task="binary: pneumonia", recipe={"steps": 3},
        metrics={"validation auc": 0.9}, licence="CC0",
    )  # fmt: skip
    variables = variables_of("cbr_tiny", 1)
    weights.save(tmp_path / "orbax", variables, card)
    assert weights.read(tmp_path / "orbax", "cbr_tiny").card == card
    file = weights.export(variables, "cbr_tiny", tmp_path / "hub", card=card)
    assert sorted(p.name for p in file.parent.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert weights.read(tmp_path / "hub", "cbr_tiny").card == card
    page = (tmp_path / "hub/README.md").read_text()
    for text in (
        "# cbr_tiny",
        "chest: 10 images",
        "binary: pneumonia",
        "- steps: 3",
        "- validation auc: 0.9000",
        "CC0",
        "mean: 0.31, 0.32, 0.33",
    ):
        assert text in page
    config = json.loads((tmp_path / "hub/config.json").read_text())
    assert config["pretrained_cfg"]["mean"] == [0.31, 0.32, 0.33]
    weights.export(variables, "cbr_tiny", tmp_path / "one.safetensors", card=card)
    assert (tmp_path / "one.md").read_text() == page
    (tmp_path / "orbax/card.json").write_text(json.dumps({**card.to_json(), "licence": "none"}))
    with pytest.raises(
        CheckpointError, match=r"card\.json has changed since the weights were saved"
    ):
        weights.load(tmp_path / "orbax", "cbr_tiny")


@pytest.mark.parametrize(
    "normalisation",
    [
        {"mean": [1], "std": [-1]},
        {"mean": [0.5], "std": [float("nan")]},
        {"mean": [0.5] * 3, "std": [0.2, float("nan"), 0.2]},
        {"mean": [float("inf")], "std": [0.2]},
        {"mean": [0.5] * 2, "std": [0.2] * 2},
    ],
)
def test_a_card_whose_normalisation_cannot_be_is_refused(normalisation):
    card = {
        "network": "cbr_tiny",
        "layout": "torchvision",
        "normalisation_from": "",
        "normalisation": normalisation,
    }
    with pytest.raises(CheckpointError, match="is not a card of this program"):
        weights.Card.from_json(card, "card.json")


def test_what_cannot_be_exported(tmp_path):
    variables = variables_of("resnet50", layout="keras")
    with pytest.raises(
        CheckpointError,
        match=(
            r"not those of resnet50 in torchvision's layout: extra params/block1/unit1/conv1/bias,"
            r" .* and \d+ more$"
        ),
    ):
        weights.export(variables, "resnet50", tmp_path / "a.safetensors")
    for path, layout, message in (
        ("a.h5", "torchvision", r"a file that ends in .safetensors"),
        ("a.weights.h5", "keras", r"a file that ends in .h5"),
        ("a", "pytorch", r"unknown layout 'pytorch' to export to"),
    ):
        with pytest.raises(ConfigError, match=message):
            weights.export(variables, "resnet50", tmp_path / path, layout)
    with pytest.raises(ConfigError, match="cbr_tiny has no layout 'keras'"):
        weights.export(variables_of("cbr_tiny"), "cbr_tiny", tmp_path / "a.h5", "keras")
    assert not list(tmp_path.iterdir())
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        weights.export(variables, "resnet50", tmp_path / "there", "keras")
