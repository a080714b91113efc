"""Resizing: nearest and bilinear are Pillow's, and area is OpenCV's, in whole preparations too."""

import cv2
import numpy as np
import PIL.Image
import pytest

from transfer_jax.data.items import Item
from transfer_jax.data.prepare import writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage import image_codec, records
from transfer_jax.data.storage.manifest import Manifest

RNG = np.random.default_rng(0)
SIZES = [(40, 60), (33, 47), (97, 31), (16, 224), (1, 1), (64, 64)]


def drawn(height, width, channels):
    return RNG.integers(0, 256, (height, width, channels), np.uint8)


def by_pillow(image, size, method):
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    resized = PIL.Image.fromarray(pixels).resize((size, size), method)
    return np.asarray(resized).reshape(size, size, -1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("size", [32, 64, 100])
def test_nearest_and_bilinear_are_pillows(height, width, channels, size):
    image = drawn(height, width, channels)
    for name, method in (
        ("nearest", PIL.Image.Resampling.NEAREST),
        ("bilinear", PIL.Image.Resampling.BILINEAR),
    ):
        np.testing.assert_array_equal(
            image_codec.resize(image, size, "squash", name), by_pillow(image, size, method)
        )


@pytest.mark.parametrize("size", [18, 32, 120])  # at which no two pixels are equally near
def test_nearest_takes_the_pixel_below_the_centre_of_the_new_one(size):
    """The rule by hand: new pixel i shows old pixel floor((i + 0.5) * old / new)."""
    image = drawn(50, 75, 3)
    rows = ((2 * np.arange(size) + 1) * 50) // (2 * size)
    columns = ((2 * np.arange(size) + 1) * 75) // (2 * size)
    resized = image_codec.resize(image, size, "squash", "nearest")
    np.testing.assert_array_equal(resized, image[rows][:, columns])


@pytest.mark.parametrize("channels", [1, 3])
def test_nearest_of_16_bits_shows_the_values_that_pillow_picks(tmp_path, channels):
    sizes = [(48, 48), (50, 75), (33, 100), (17, 3)]
    items, expected = [], []
    for i, (height, width) in enumerate(sizes):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), RNG.integers(0, 65536, (height, width), np.uint16))
        with PIL.Image.open(path) as file:
            assert file.mode == "I;16"
            picked = np.asarray(file.resize((20, 20), PIL.Image.Resampling.NEAREST))
        shown = np.round(picked.astype(np.float32) * (255 / 65535)).astype(np.uint8)
        expected.append(np.repeat(shown[..., None], channels, -1))
        items.append(Item(path.name, path.name, {"a": 0}, path, "train"))
    form = Form(20, channels, "squash", "png", resize="nearest")
    writer.write(tmp_path / "set", "set", items, form, source={})
    opened, _ = records.open_splits(tmp_path / "set", Manifest.read(tmp_path / "set"), ["train"])
    np.testing.assert_array_equal(opened(np.arange(len(sizes))), expected)


def test_area_is_the_default_and_what_it_has_always_been():
    image = drawn(60, 90, 3)
    for size, how in ((30, cv2.INTER_AREA), (128, cv2.INTER_LINEAR)):
        expected = cv2.resize(image, (size, size), interpolation=how)
        np.testing.assert_array_equal(image_codec.resize(image, size, "squash"), expected)
        np.testing.assert_array_equal(image_codec.resize(image, size, "squash", "area"), expected)
    assert Form(32, 1).resize == "area" and image_codec.METHODS[0] == "area"


@pytest.mark.parametrize("method", image_codec.METHODS)
def test_padding_keeps_the_aspect_ratio_whatever_the_method(method):
    image = np.full((20, 40, 1), 200, np.uint8)
    padded = image_codec.resize(image, 32, "pad", method)
    assert (padded[8:24] == 200).all() and not padded[:8].any() and not padded[24:].any()


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_preparation_writes_what_the_method_gives(tmp_path, method, channels):
    paths = []
    for i, (height, width) in enumerate(SIZES):
        paths.append(tmp_path / f"{i}.png")
        image = drawn(height, width, channels)
        cv2.imwrite(str(paths[-1]), image[..., ::-1] if channels == 3 else image)
    items = [Item(path.name, path.name, {"a": 0}, path, "train") for path in paths]
    form = Form(32, channels, "squash", "png", resize=method)
    writer.write(tmp_path / "set", "set", items, form, source={})
    opened, _ = records.open_splits(tmp_path / "set", Manifest.read(tmp_path / "set"), ["train"])
    for path, stored in zip(paths, opened(np.arange(len(paths))), strict=True):
        with PIL.Image.open(path) as file:
            how = PIL.Image.Resampling[method.upper()]
            expected = np.asarray(file.resize((32, 32), how)).reshape(32, 32, channels)
        np.testing.assert_array_equal(stored, expected)
