import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.data import augment
from transfer_jax.data.augment import resized

IMAGES = jnp.asarray(np.random.default_rng(0).integers(0, 256, (64, 8, 6, 3)), jnp.uint8)
SQUARE = IMAGES[:, :6]


@pytest.mark.parametrize(("flip", "axis"), [(augment.flip, 1), (augment.flip_vertical, 0)])
def test_flips_mirror_about_half_of_the_images(flip, axis):
    flipped = np.asarray(flip(jax.random.key(0), IMAGES))
    mirrored = np.array(
        [(a == np.flip(b, axis)).all() for a, b in zip(flipped, IMAGES, strict=True)]
    )
    same = np.array([(a == b).all() for a, b in zip(flipped, IMAGES, strict=True)])
    assert (mirrored ^ same).all()
    assert 16 < mirrored.sum() < 48


def test_quarter_turns_are_the_four_turns():
    turned = np.asarray(augment.quarter_turn(jax.random.key(0), SQUARE))
    turns = [
        [k for k in range(4) if (np.rot90(b, k) == a).all()]
        for a, b in zip(turned, SQUARE, strict=True)
    ]
    assert all(len(found) == 1 for found in turns)
    assert all(4 < sum(found == [k] for found in turns) < 32 for k in range(4))
    with pytest.raises(ConfigError, match="8 x 6"):
        augment.quarter_turn(jax.random.key(0), IMAGES)


draw_boxes = jax.jit(resized.draw_boxes, static_argnums=(1, 2, 3, 4))


def windows(most, images, **how):
    """Per image, the windows of the padded original that it is."""
    padded = np.pad(np.asarray(IMAGES), ((0, 0), (most, most), (most, most), (0, 0)), **how)
    places = [(r, c) for r in range(2 * most + 1) for c in range(2 * most + 1)]
    return [
        [p for p in places if (padded[i, p[0] : p[0] + 8, p[1] : p[1] + 6] == image).all()]
        for i, image in enumerate(np.asarray(images))
    ]


@pytest.mark.parametrize("most", [2, 9])
def test_shift_moves_by_whole_pixels_and_repeats_the_edge(most):
    found = windows(most, augment.shift(jax.random.key(0), IMAGES, most), mode="edge")
    assert all(found)
    assert len({*itertools.chain(*found)}) > 15


def test_crops_are_windows_of_the_padded_images():
    found = windows(2, augment.crop(jax.random.key(0), IMAGES, 2, 200.0), constant_values=200)
    assert all(len(places) == 1 for places in found)
    assert len({*itertools.chain(*found)}) > 15


def test_boxes_of_resized_crops_lie_in_the_image_and_have_the_asked_shares_and_ratios():
    h, w, b = 100, 160, 5000
    top, left, height, width = (np.asarray(x) for x in draw_boxes(jax.random.key(0), b, h, w, 0.1))
    for start, size, n in ((top, height, h), (left, width, w)):
        assert (start == np.round(start)).all()
        assert (size >= 1).all()
        assert (start >= 0).all()
        assert (start + size <= n).all()
    share, ratio = height * width / (h * w), width / height
    assert 0.095 < share.min() < 0.12
    assert share.max() > 0.7
    assert 0.73 < ratio.min() < 0.77
    assert 1.30 < ratio.max() < 1.37
    room = height < h
    assert (top[room] / (h - height[room])).mean() == pytest.approx(0.5, abs=0.03)


def test_boxes_that_never_fit_are_the_largest_in_the_middle():
    top, left, height, width = draw_boxes(jax.random.key(0), 3, 100, 400, 1.0)
    assert (height == 100).all()
    assert (width == 133).all()
    assert (top == 0).all()
    assert (left == 133).all()


def test_a_whole_box_is_the_image():
    n = jnp.full((64,), 0.0)
    np.testing.assert_array_equal(
        resized.resize_boxes(IMAGES, resized.Boxes(n, n, n + 8, n + 6)), IMAGES
    )
