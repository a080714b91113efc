"""Files and numbers against the real Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from golden import reference

from transfer_jax import models, weights
from transfer_jax.core.errors import CheckpointError

NETWORKS = {
    "resnet50": keras.applications.ResNet50,
    "resnet101": keras.applications.ResNet101,
    "resnet152": keras.applications.ResNet152,
    "densenet121": keras.applications.DenseNet121,
    "inception_v3": keras.applications.InceptionV3,
}
FEW = ("resnet50", "densenet121", "inception_v3")
SALT = 3


def theirs(name, classes=None):
    """keras.applications' network with reference weights of another salt; without a head unless
    `classes` are given.
    """
    keras.utils.clear_session()
    top = (
        {"include_top": False, "pooling": "avg"}
        if classes is None
        else {"classes": classes, "classifier_activation": None}
    )
    side = 107 if name == "inception_v3" else 64
    network = NETWORKS[name](weights=None, input_shape=(side, side, 3), **top)
    for layer in network.layers:
        layer.set_weights(
            [
                reference.tensor(f"{layer.name}/{w.name}", tuple(w.shape), SALT)
                for w in layer.weights
            ]
        )
    return network, reference.images(2, side, seed=SALT)


def ours(name, variables, x, outputs):
    module = models.create(name, outputs, "keras")
    return np.asarray(
        jax.jit(lambda v, x: module.apply(v, x, train=False)[0])(variables, jnp.asarray(x))
    )


def close(got, want, tolerance=1e-4):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * float(np.std(want)))


def equal(a, b):
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        (x == y).all() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_with_a_head_in_and_out(name, tmp_path):
    network, x = theirs(name, classes=7)
    network.save_weights(tmp_path / "there.weights.h5")
    variables = weights.load(tmp_path / "there.weights.h5", name)
    want = network.predict(x, verbose=0)
    close(ours(name, variables, x, 7), want)
    weights.export(variables, name, tmp_path / "here.h5", "keras")
    for variable in network.weights:
        variable.assign(np.zeros(variable.shape))
    network.load_weights(tmp_path / "here.h5", by_name=True)
    np.testing.assert_array_equal(network.predict(x, verbose=0), want)
    assert equal(weights.load(tmp_path / "here.h5", name), variables)


@pytest.mark.parametrize("name", FEW)
def test_files_without_a_head_in_both_of_keras_layouts(name, tmp_path):
    network, x = theirs(name)
    network.save_weights(tmp_path / "there.weights.h5")
    network.save(tmp_path / "whole.h5")
    variables = weights.load(tmp_path / "there.weights.h5", name)
    assert "head" not in variables["params"]
    assert equal(weights.load(tmp_path / "whole.h5", name, "keras"), variables)
    head = {"kernel": jnp.eye(network.output_shape[1]), "bias": jnp.zeros(network.output_shape[1])}
    features = ours(
        name,
        {**variables, "params": {**variables["params"], "head": head}},
        x,
        network.output_shape[1],
    )
    close(features, network.predict(x, verbose=0))


@pytest.mark.parametrize("name", FEW)
def test_running_statistics_in_training_mode(name, tmp_path):
    network, x = theirs(name, classes=7)
    network.save_weights(tmp_path / "before.weights.h5")
    variables = weights.load(tmp_path / "before.weights.h5", name)
    network(x, training=True)
    network.save_weights(tmp_path / "after.weights.h5")
    after = weights.load(tmp_path / "after.weights.h5", name)["batch_stats"]
    module = models.create(name, 7, "keras")
    _, changed = jax.jit(lambda v, x: module.apply(v, x, train=True, mutable=["batch_stats"]))(
        variables, jnp.asarray(x)
    )
    for a, b in zip(jax.tree.leaves(changed["batch_stats"]), jax.tree.leaves(after), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_automatic_layer_numbers_go_on_from_earlier_networks(tmp_path):
    first, _ = theirs("inception_v3")
    first.save_weights(tmp_path / "first.weights.h5")
    second = keras.applications.InceptionV3(
        weights=None, include_top=False, pooling="avg", input_shape=(107, 107, 3)
    )
    assert second.layers[1].name == "conv2d_94"
    second.set_weights(first.get_weights())
    second.save(tmp_path / "second.h5")
    assert equal(
        weights.load(tmp_path / "first.weights.h5", "inception_v3"),
        weights.load(tmp_path / "second.h5", "inception_v3"),
    )


def test_a_head_of_any_name(tmp_path):
    keras.utils.clear_session()
    body = keras.applications.ResNet50(
        weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3)
    )
    whole = keras.Model(
        body.input, keras.layers.Dense(4, name="diagnosis")(keras.layers.Dropout(0.5)(body.output))
    )
    whole.save(tmp_path / "whole.h5")
    variables = weights.load(tmp_path / "whole.h5", "resnet50")
    np.testing.assert_array_equal(
        variables["params"]["head"]["kernel"], whole.get_layer("diagnosis").get_weights()[0]
    )


def test_a_network_that_is_one_layer_of_another(tmp_path):
    """The usual form of transfer learning in Keras, in all three of its files."""
    body, _ = theirs("resnet50")
    keras.utils.clear_session()
    bare = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(64, 64, 3))
    bare.set_weights(body.get_weights())
    whole = keras.Sequential(
        [bare, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, name="diagnosis")]
    )
    body.save_weights(tmp_path / "plain.weights.h5")
    plain = weights.load(tmp_path / "plain.weights.h5", "resnet50")
    whole.save(tmp_path / "whole.h5")
    whole.save_weights(tmp_path / "new.weights.h5")
    for file in ("whole.h5", "new.weights.h5"):
        loaded = weights.read(tmp_path / file, "resnet50")
        assert (
            np.asarray(loaded.variables["params"]["head"]["kernel"])
            == whole.layers[-1].get_weights()[0]
        ).all()
        body_alone = {
            **loaded.variables,
            "params": {k: v for k, v in loaded.variables["params"].items() if k != "head"},
        }
        assert equal(body_alone, plain)
        assert loaded.card.recognised[0].startswith("prefix ")
        assert loaded.card.recognised[1:] == ("head diagnosis read",)
        assert equal(weights.load(tmp_path / file, "resnet50", head=False), plain)


def test_two_networks_and_two_dense_layers(tmp_path):
    keras.utils.clear_session()
    image = keras.Input((64, 64, 3))
    one = keras.applications.ResNet50(
        weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3), name="one"
    )
    two = keras.applications.ResNet50(
        weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3), name="two"
    )
    both = keras.layers.Dense(8)(keras.layers.Concatenate()([one(image), two(image)]))
    whole = keras.Model(image, keras.layers.Dense(3)(keras.layers.BatchNormalization()(both)))
    whole.save(tmp_path / "whole.h5")
    with pytest.raises(
        CheckpointError,
        match="holds 2 networks that fit resnet50, under the prefixes 'one/', 'two/'",
    ):
        weights.load(tmp_path / "whole.h5", "resnet50", head=False)
    for network in (one, two):
        loaded = weights.load(tmp_path / "whole.h5", "resnet50", prefix=network.name)
        assert (
            np.asarray(loaded["params"]["conv1"]["kernel"])
            == network.get_layer("conv1_conv").get_weights()[0]
        ).all()
