import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.normalisation import Normalisation, named
from transfer_jax.data import augment, phantom, splits


@pytest.mark.parametrize(("name", "channels"), [("fundus", 3), ("chest", 1), ("texture", 3)])
def test_phantoms_are_functions_of_their_seed(name, channels):
    a, b, c = (list(phantom.rows(name, size=40, counts={"train": 6, "val": 2}, seed=seed)) for seed in (0, 0, 1))
    assert all((x.image == y.image).all() and x.labels == y.labels for x, y in zip(a, b, strict=True))
    assert any((x.image != y.image).any() for x, y in zip(a, c, strict=True))
    assert a[0].image.shape == (40, 40, channels)
    assert a[0].image.dtype == np.uint8
    assert len({r.id for r in a}) == 8
    assert not {r.patient for r in a if r.split == "train"} & {r.patient for r in a if r.split == "val"}


def test_the_number_of_dots_sets_the_grade():
    rows = list(phantom.rows("fundus", size=32, counts={"train": 200}, seed=0))
    for row in rows:
        low, high = phantom._DOTS[row.labels["grade"]]
        assert low <= row.labels["dots"] <= high
    assert {r.labels["grade"] for r in rows} == set(range(5))


@pytest.mark.parametrize("name", ["fundus", "chest", "texture"])
def test_labels_take_the_values_that_are_told(name):
    told = phantom.label_values(name)
    rows = list(phantom.rows(name, size=32, counts={"train": 300}, seed=0))
    assert {label: {r.labels[label] for r in rows} for label in rows[0].labels} == told


def test_unknown_phantoms_are_errors():
    with pytest.raises(ConfigError, match="did you mean 'fundus'"):
        next(phantom.rows("fundis", size=32, counts={"train": 1}, seed=0))


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
    np.testing.assert_allclose(augment.normalise(IMAGES, named("caffe_over_255")) * 255, augment.normalise(IMAGES, named("caffe")), atol=1e-3)
    with pytest.raises(ConfigError, match="did you mean 'imagenet'"):
        named("imagenett")


def test_flip_mirrors_about_half_of_the_images():
    flipped = augment.flip(jax.random.key(0), IMAGES)
    mirrored = np.array([(a == b[:, ::-1]).all() for a, b in zip(flipped, IMAGES, strict=True)])
    same = np.array([(a == b).all() for a, b in zip(flipped, IMAGES, strict=True)])
    assert (mirrored ^ same).all()
    assert 16 < mirrored.sum() < 48


def test_shift_moves_by_whole_pixels_and_repeats_the_edge():
    most = 2
    padded = np.pad(np.asarray(IMAGES), ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    shifted = augment.shift(jax.random.key(0), IMAGES, most)
    seen = set()
    for i, image in enumerate(np.asarray(shifted)):
        found = [(r, c) for r in range(2 * most + 1) for c in range(2 * most + 1) if (padded[i, r : r + 8, c : c + 6] == image).all()]
        assert found
        seen.update(found)
    assert len(seen) > 15


def test_augmentation_does_what_is_asked_under_jit():
    key = jax.random.key(1)
    assert (augment.augment(key, IMAGES, augment.Augmentation()) == IMAGES).all()
    how = augment.Augmentation(flip=True, shift=2)
    np.testing.assert_array_equal(jax.jit(lambda k, x: augment.augment(k, x, how))(key, IMAGES), augment.augment(key, IMAGES, how))


def test_splits_by_patient():
    rng = np.random.default_rng(0)
    patients = [f"p{i}" for i in rng.integers(0, 300, 2000)]
    shares = {"train": 0.8, "val": 0.1, "test": 0.1}
    parts = splits.by_patient(patients, shares, seed=1)
    home = {}
    for patient, part in zip(patients, parts, strict=True):
        assert home.setdefault(patient, part) == part
    for part, share in shares.items():
        assert parts.count(part) / 2000 == pytest.approx(share, abs=0.01)
    assert parts == splits.by_patient(patients, shares, seed=1)
    assert parts != splits.by_patient(patients, shares, seed=2)
    with pytest.raises(DataError, match="cannot be dealt"):
        splits.by_patient(["a", "a"], shares)
    with pytest.raises(DataError, match="add up to 1"):
        splits.by_patient(["a", "b"], {"train": 0.5, "val": 0.6})
