"""Nearest and bilinear beside Keras' own `load_img`, on files."""

import cv2
import numpy as np
import pytest
from keras.utils import img_to_array, load_img

from transfer_jax.data.prepare import originals
from transfer_jax.data.storage import image_codec


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("mode", ["grayscale", "rgb"])
@pytest.mark.parametrize(("height", "width"), [(40, 60), (301, 211), (32, 32)])
def test_files_come_out_as_keras_loads_them(tmp_path, method, mode, height, width):
    channels = 1 if mode == "grayscale" else 3
    image = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), image)
    size = 96
    loaded = load_img(path, color_mode=mode, target_size=(size, size), interpolation=method)
    resized = image_codec.resize(originals.load(path, channels), size, "squash", method)
    np.testing.assert_array_equal(resized, img_to_array(loaded, dtype="uint8"))


def test_the_default_of_keras_is_nearest(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "x.png"), image)
    loaded = load_img(tmp_path / "x.png", target_size=(32, 32))
    resized = image_codec.resize(originals.load(tmp_path / "x.png", 3), 32, "squash", "nearest")
    np.testing.assert_array_equal(resized, img_to_array(loaded, dtype="uint8"))


@pytest.mark.parametrize("side", [48, 75, 211])
def test_grey_files_of_16_bits_hold_the_pixels_that_keras_picks(tmp_path, side):
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 65536, (side, side), np.uint16))
    loaded = img_to_array(load_img(path, color_mode="grayscale", target_size=(100, 100)))
    original = originals.read(path, 1)
    shown = image_codec.resize(original.pixels, 100, "squash", "nearest", deep=original.deep)
    np.testing.assert_array_equal(shown, np.round(loaded * (255 / 65535)))
