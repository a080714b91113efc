import functools
import re

import jax
import jax.numpy as jnp
import keras_affine
import numpy as np
import pytest
from scipy import ndimage

from transfer_jax.core import mesh as meshes
from transfer_jax.core import rng
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import augment
from transfer_jax.data.augment import affine, colour, geometric, resized
from transfer_jax.tools.bench import throughput

IMAGES = jnp.asarray(np.random.default_rng(0).integers(0, 256, (16, 12, 12, 3)), jnp.uint8)
KEY = jax.random.key(1)
EVERYTHING = augment.Augmentation(
    shift=1,
    crop=2,
    quarter_turn=True,
    resized_crop=0.5,
    rotation=20,
    height_shift=0.1,
    width_shift=0.2,
    shear=5,
    zoom=0.1,
    fill="constant",
    fill_value=30,
    flip=True,
    vertical_flip=True,
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
    hue=0.1,
)


@functools.cache
def compiled(how):
    return jax.jit(lambda key, images: augment.augment(key, images, how))


def test_nothing_asked_for_is_the_very_same_images():
    assert augment.augment(KEY, IMAGES, augment.Augmentation()) is IMAGES
    assert augment.augment(KEY, IMAGES, augment.preset("wen_yap_3")) is IMAGES
    assert (
        augment.augment(
            KEY, IMAGES, augment.Augmentation(fill="wrap", fill_value=9, keras_half_pixel=True)
        )
        is IMAGES
    )


def test_shift_and_flip_under_jit():
    how = augment.Augmentation(flip=True, shift=2)
    flipped = augment.flip(
        rng.stream(KEY, "flip"), augment.shift(rng.stream(KEY, "shift"), IMAGES, 2)
    )
    np.testing.assert_array_equal(compiled(how)(KEY, IMAGES), flipped)


def test_the_order_is_that_of_keras():
    how = augment.Augmentation(
        rotation=30,
        width_shift=0.2,
        zoom=0.2,
        flip=True,
        vertical_flip=True,
        brightness=0.3,
        keras_half_pixel=True,
        fill="reflect",
    )
    drawn = affine.draw(
        rng.stream(KEY, "affine"), 16, 12, 12, rotation=30, width_shift=0.2, zoom=0.2
    )
    warped = jax.jit(lambda p: affine.warp(IMAGES, affine.matrices(p, 12, 12, 0.5), "reflect"))(
        drawn
    )
    flipped = geometric.flip_vertical(
        rng.stream(KEY, "vertical_flip"), geometric.flip(rng.stream(KEY, "flip"), warped)
    )
    wanted = np.asarray(colour.jitter(rng.stream(KEY, "colour"), flipped, brightness=0.3)).astype(
        int
    )
    off = np.abs(np.asarray(compiled(how)(KEY, IMAGES)).astype(int) - wanted)
    assert (
        off.max() <= 2
    )  # between two whole numbers, rounding may go either way before the brightness
    assert (off > 0).mean() < 0.002


def test_a_crop_a_map_and_a_flip_are_one_interpolation():
    done = np.asarray(
        compiled(augment.Augmentation(resized_crop=0.3, rotation=40, flip=True))(KEY, IMAGES)
    ).astype(float)
    boxes = np.stack(resized.draw_boxes(rng.stream(KEY, "resized_crop"), 16, 12, 12, 0.3), -1)
    angles = np.asarray(affine.draw(rng.stream(KEY, "affine"), 16, 12, 12, rotation=40).rotation)
    mirrored = np.asarray(geometric.halves(rng.stream(KEY, "flip"), 16))
    for i, (top, left, height, width) in enumerate(boxes.astype(float)):
        m = keras_affine.matrix(angles[i], 0, 0, 0, 1, 1, 12, 12, -0.5)
        turned = np.clip(
            np.einsum("ij,jrc->irc", m[:2, :2], np.mgrid[:12, :12]) + m[:2, 2, None, None], 0, 11
        )
        rows = top + np.clip((turned[0] + 0.5) * height / 12 - 0.5, 0, height - 1)
        columns = left + np.clip((turned[1] + 0.5) * width / 12 - 0.5, 0, width - 1)
        for c in range(3):
            wanted = ndimage.map_coordinates(
                np.asarray(IMAGES[i, ..., c], float), [rows, columns], order=1
            )
            np.testing.assert_allclose(
                done[i, ..., c],
                wanted[:, ::-1] if mirrored[i] else wanted,
                rtol=0,
                atol=0.5 + 0.03,
            )


def test_switching_one_part_on_leaves_the_draws_of_the_others():
    white = jnp.zeros_like(IMAGES).at[:, :, :6].set(255)  # the left half
    left = np.asarray(augment.augment(KEY, white, augment.Augmentation(flip=True)))[:, 6, 3, 0]
    more = augment.Augmentation(flip=True, vertical_flip=True, rotation=10, zoom=0.1, shift=1)
    np.testing.assert_array_equal(left, np.asarray(compiled(more)(KEY, white))[:, 6, 3, 0])
    assert 0 < (left == 0).sum() < 16


def test_draws_differ_between_images_and_keys_and_repeat():
    same = jnp.broadcast_to(IMAGES[:1], IMAGES.shape)
    done = np.asarray(compiled(EVERYTHING)(KEY, same))
    assert all((done[i] != done[j]).any() for i in range(16) for j in range(i))
    np.testing.assert_array_equal(compiled(EVERYTHING)(KEY, same), done)
    assert (compiled(EVERYTHING)(jax.random.key(2), same) != done).any()


@pytest.mark.parametrize("how", [EVERYTHING, augment.preset("wen_yap_1")])
def test_sharded_images_are_augmented_where_they_are(how):
    mesh = meshes.create(8)
    spread = jax.device_put(IMAGES, meshes.batched(mesh))
    program = (
        jax.jit(
            lambda key, images: augment.augment(key, images, how),
            out_shardings=meshes.batched(mesh),
        )
        .lower(KEY, spread)
        .compile()
    )
    assert not re.findall(
        r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter", program.as_text()
    )
    done, wanted = (
        np.asarray(x).astype(int) for x in (program(KEY, spread), compiled(how)(KEY, IMAGES))
    )
    assert (
        np.abs(done - wanted).max() <= 1
    )  # compiled for another batch, sums are rounded in another order
    assert (done != wanted).mean() < 0.001


def test_single_and_grey_images():
    done = compiled(EVERYTHING)(KEY, IMAGES[:1, ..., :1])
    assert done.shape == (1, 12, 12, 1)
    assert done.dtype == jnp.uint8


BASE = dict.fromkeys(
    ("rotation", "height_shift", "width_shift", "shear", "zoom", "fill_value"), 0
) | {
    "flip": False,
    "vertical_flip": False,
    "fill": "nearest",
}
JUODELYTE = BASE | {
    "rotation": 10,
    "height_shift": 0.1,
    "width_shift": 0.1,
    "shear": 0.1,
    "zoom": 0.1,
}
TABLE = {
    "wen_yap_1": (
        BASE
        | {
            "rotation": 90,
            "width_shift": 0.2,
            "flip": True,
            "vertical_flip": True,
            "shear": 0.3,
            "zoom": 0.1,
        }
    ),
    "wen_yap_2": BASE | {"rotation": 10, "flip": True, "zoom": 0.05, "fill": "constant"},
    "wen_yap_3": BASE,
    "wen_yap_4": BASE | {"flip": True},
    "juodelyte": JUODELYTE | {"flip": True},
    "juodelyte_chest": JUODELYTE,
}


@pytest.mark.parametrize("name", TABLE)
def test_presets_are_those_of_the_papers(name):
    assert augment.preset(name) == augment.Augmentation(**TABLE[name])


def test_the_presets_are_all_known_and_wrong_names_get_a_hint():
    assert set(augment.PRESETS) == {*TABLE, "contrastive"}
    assert augment.preset("contrastive").resized_crop > 0
    with pytest.raises(ConfigError, match="did you mean 'juodelyte'"):
        augment.preset("juodelyt")


WRONG = [
    {"rotation": -1},
    {"rotation": 181},
    {"height_shift": 1.5},
    {"width_shift": 20},
    {"shear": 90},
    {"zoom": 1},
    {"shift": -1},
    {"crop": -2},
    {"resized_crop": 1.1},
    {"brightness": -0.1},
    {"contrast": float("nan")},
    {"saturation": float("inf")},
    {"hue": 0.6},
    {"fill_value": 256},
    {"fill": "mirror"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_bad_ranges_are_errors_that_name_the_option(wrong):
    with pytest.raises(ConfigError, match=f"augmentation {next(iter(wrong))}="):
        augment.Augmentation(**wrong)


def test_the_benchmark_gives_a_number():
    assert throughput.augmentation("wen_yap_2", batch=2, size=16, repeats=2) > 0
    with pytest.raises(ConfigError, match="repeats=0"):
        throughput.augmentation("wen_yap_2", repeats=0)
