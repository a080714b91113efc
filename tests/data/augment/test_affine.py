import functools
import itertools

import jax
import jax.numpy as jnp
import keras_affine
import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.data.augment import affine
from transfer_jax.data.augment.interpolation import FILLS

FULL = {"rotation": 90.0, "height_shift": 0.3, "width_shift": 0.6, "shear": 30.0, "zoom": 0.5}
SIZES = [(16, 16, 3), (17, 17, 1), (20, 13, 3), (13, 20, 1)]


@functools.cache
def images(b, h, w, c):
    return np.random.default_rng(0).integers(0, 256, (b, h, w, c), np.uint8)


matrices = jax.jit(affine.matrices, static_argnums=(1, 2, 3))
warp = jax.jit(affine.warp, static_argnums=(2, 3))
draw = functools.partial(
    jax.jit(affine.draw, static_argnums=(1, 2, 3), static_argnames=tuple(FULL)), jax.random.key(1)
)


def check(parameters, pixels, fill, half_pixel=-0.5, value=77.0):
    """Both types of images against the written-out Keras."""
    _, h, w, _ = pixels.shape
    maps = matrices(parameters, h, w, half_pixel)
    floats, rounded = (
        np.asarray(warp(x, maps, fill, value)) for x in (pixels.astype(np.float32), pixels)
    )
    assert floats.dtype == np.float32
    assert rounded.dtype == np.uint8
    kept = 0
    for i, image in enumerate(pixels):
        m = keras_affine.matrix(*(float(x[i]) for x in parameters), h, w, half_pixel)
        wanted, certain = (
            keras_affine.warp(image, m, fill, value),
            keras_affine.certain(m, h, w, fill),
        )
        np.testing.assert_allclose(floats[i][certain], wanted[certain], rtol=0, atol=1e-4 * 255)
        np.testing.assert_allclose(
            rounded[i][certain].astype(float), wanted[certain], rtol=0, atol=0.5 + 0.03
        )
        kept += certain.mean() / len(pixels)
    assert kept > 0.98


@pytest.mark.parametrize(
    ("fill", "half_pixel", "size"), [*itertools.product(FILLS, (-0.5, 0.5), SIZES)]
)
def test_warps_are_those_of_keras_and_scipy(fill, half_pixel, size):
    check(draw(16, *size[:2], **FULL), images(16, *size), fill, half_pixel)


@pytest.mark.parametrize(("fill", "single"), [*itertools.product(FILLS, FULL)])
def test_each_part_alone_is_that_of_keras(fill, single):
    check(draw(16, 20, 13, **{single: FULL[single]}), images(16, 20, 13, 3), fill)


@pytest.mark.parametrize("fill", FILLS)
def test_far_outside_is_continued_as_scipy_does(fill):
    check(
        draw(16, 13, 20, rotation=180, height_shift=4, width_shift=4, zoom=0.9),
        images(16, 13, 20, 1),
        fill,
    )


@pytest.mark.parametrize("fill", FILLS)
def test_large_images_are_as_exact(fill):
    check(
        draw(2, 224, 224, rotation=90, width_shift=0.2, shear=0.3, zoom=0.1),
        images(2, 224, 224, 3),
        fill,
    )


@pytest.mark.parametrize(
    ("fill", "steps"), [*itertools.product(FILLS, ([0, 1, 4, 5, 8, 11], [-1, -4, -5, -8, -9, -12]))]
)
def test_whole_steps_are_exact(fill, steps):
    pixels = images(6, 5, 5, 1)
    zero, one = jnp.zeros(6), jnp.ones(6)
    parameters = affine.Parameters(zero, jnp.asarray(steps, jnp.float32), zero, zero, one, one)
    moved = np.asarray(warp(pixels.astype(np.float32), matrices(parameters, 5, 5), fill, 9.0))
    for i, step in enumerate(steps):
        m = keras_affine.matrix(0, step, 0, 0, 1, 1, 5, 5, -0.5)
        np.testing.assert_array_equal(moved[i], keras_affine.warp(pixels[i], m, fill, 9.0))


@pytest.mark.parametrize("fill", FILLS)
def test_no_change_is_no_change_bit_for_bit(fill):
    for h, w, c in [(20, 13, 3), (1, 1, 1), (1, 5, 3)]:
        pixels = images(3, h, w, c)
        np.testing.assert_array_equal(warp(pixels, matrices(draw(3, h, w), h, w), fill), pixels)


def test_half_turns_keep_the_outermost_pixels_under_a_constant_fill():
    pixels = images(1, 224, 224, 1)
    turned = affine.draw(jax.random.key(0), 1, 224, 224)._replace(rotation=jnp.full((1,), 180.0))
    np.testing.assert_array_equal(
        warp(pixels, matrices(turned, 224, 224), "constant", 0.0), pixels[:, ::-1, ::-1]
    )


@pytest.mark.parametrize(("rows", "columns"), [*itertools.product((False, True), repeat=2)])
def test_mirrored_maps_are_warps_that_are_then_mirrored(rows, columns):
    pixels = images(16, 20, 13, 3).astype(np.float32)
    maps = matrices(draw(16, 20, 13, **FULL), 20, 13)
    both = affine.mirrored(maps, jnp.full((16,), rows), jnp.full((16,), columns), 20, 13)
    wanted = warp(pixels, maps)[:, :: -1 if rows else 1, :: -1 if columns else 1]
    np.testing.assert_allclose(warp(pixels, both), wanted, atol=0.02)


def test_draws_are_uniform_in_their_ranges_and_differ():
    b, h, w = 20000, 40, 80
    drawn = affine.draw(
        jax.random.key(0),
        b,
        h,
        w,
        rotation=30,
        height_shift=0.1,
        width_shift=0.2,
        shear=5,
        zoom=0.25,
    )
    limits = affine.Parameters(
        rotation=30, shift_rows=4, shift_columns=16, shear=5, zoom_rows=0.25, zoom_columns=0.25
    )
    for name, values, limit in zip(affine.Parameters._fields, drawn, limits, strict=True):
        share = (np.asarray(values) - (1 if name.startswith("zoom") else 0)) / limit
        assert np.abs(share).max() <= 1 + 1e-6
        assert abs(share.mean()) < 4 / np.sqrt(3 * b)
        counts, _ = np.histogram(share, 10, (-1, 1))
        assert (
            (counts - b / 10) ** 2 / (b / 10)
        ).sum() < 27.9  # chi squared of 9 degrees of freedom, 0.1%
        assert len(np.unique(share)) > 0.99 * b
    correlations = np.corrcoef(np.stack(drawn)) - np.eye(6)
    assert np.abs(correlations).max() < 4 / np.sqrt(b)


def test_draws_depend_on_the_key_and_not_on_what_else_is_drawn():
    def drawn(seed, **ranges):
        return affine.draw(jax.random.key(seed), 16, 8, 8, **ranges)

    full = drawn(0, **FULL)
    assert all((a == b).all() for a, b in zip(full, drawn(0, **FULL), strict=True))
    assert all((a != b).any() for a, b in zip(full, drawn(1, **FULL), strict=True))
    np.testing.assert_array_equal(drawn(0, shear=FULL["shear"]).shear, full.shear)
    assert (drawn(0, shear=1.0).zoom_rows == 1).all()


def test_unknown_fills_are_errors():
    maps = affine.matrices(affine.draw(jax.random.key(0), 1, 4, 4), 4, 4)
    with pytest.raises(ConfigError, match="did you mean 'reflect'"):
        affine.warp(jnp.zeros((1, 4, 4, 1), jnp.uint8), maps, "reflekt")
