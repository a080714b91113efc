import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import Normalisation, named
from transfer_jax.data import augment
from transfer_jax.data.prepare import phantom, phantom_organs


@pytest.mark.parametrize(("name", "channels"), [("fundus", 3), ("chest", 1), ("texture", 3)])
def test_phantoms_are_functions_of_their_seed(name, channels):
    a, b, c = (
        list(phantom.items(name, size=40, counts={"train": 6, "val": 2}, seed=seed))
        for seed in (0, 0, 1)
    )
    assert all(
        (x.image() == y.image()).all() and x.labels == y.labels for x, y in zip(a, b, strict=True)
    )
    assert any((x.image() != y.image()).any() for x, y in zip(a, c, strict=True))
    assert a[0].image().shape == (40, 40, channels)
    assert a[0].image().dtype == np.uint8
    assert len({r.id for r in a}) == 8
    assert not {r.patient for r in a if r.split == "train"} & {
        r.patient for r in a if r.split == "val"
    }


def test_the_number_of_dots_sets_the_grade():
    rows = list(phantom.items("fundus", size=32, counts={"train": 200}, seed=0))
    for row in rows:
        low, high = phantom_organs.DOTS[row.labels["grade"]]
        assert low <= row.labels["dots"] <= high
    assert {r.labels["grade"] for r in rows} == set(range(5))


@pytest.mark.parametrize("name", ["fundus", "chest", "texture"])
def test_labels_take_the_values_that_are_told(name):
    told = phantom.label_values(name)
    rows = list(phantom.items(name, size=32, counts={"train": 300}, seed=0))
    assert {label: {r.labels[label] for r in rows} for label in rows[0].labels} == told


def test_unknown_phantoms_are_errors():
    with pytest.raises(ConfigError, match="did you mean 'fundus'"):
        next(phantom.items("fundis", size=32, counts={"train": 1}, seed=0))


IMAGES = jnp.asarray(np.random.default_rng(0).integers(0, 256, (64, 8, 6, 3)), jnp.uint8)


def test_normalise_is_the_formula_and_repeats_grey():
    how = Normalisation("own", (0.5, 0.4, 0.3), (0.2, 0.1, 0.3))
    wanted = (np.asarray(IMAGES) / 255 - how.mean) / how.std
    np.testing.assert_allclose(augment.normalise(IMAGES, how), wanted, atol=1e-5)
    grey = augment.normalise(IMAGES[..., :1], Normalisation("own", (0.5,), (0.2,)))
    assert grey.shape == (64, 8, 6, 3)
    assert (grey[..., 0] == grey[..., 2]).all()
    one = augment.normalise(IMAGES[..., :1], how, channels=1)
    np.testing.assert_allclose(one, (np.asarray(IMAGES[..., :1]) / 255 - 0.4) / 0.2, atol=1e-5)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_named_normalisations_are_those_of_keras_applications(mode):
    from keras.applications.imagenet_utils import preprocess_input

    name = {"caffe": "caffe", "tf": "minus_one_to_one", "torch": "imagenet"}[mode]
    wanted = preprocess_input(np.asarray(IMAGES, np.float32).copy(), mode=mode)
    np.testing.assert_allclose(augment.normalise(IMAGES, named(name)), wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        augment.normalise(IMAGES, named("caffe_over_255")) * 255,
        augment.normalise(IMAGES, named("caffe")),
        atol=1e-3,
    )
    with pytest.raises(ConfigError, match="did you mean 'imagenet'"):
        named("imagenett")
