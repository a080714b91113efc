import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.data.augment import colour

IMAGES = jnp.asarray(np.random.default_rng(0).integers(0, 256, (6, 8, 6, 3)), jnp.uint8)
FLOATS = IMAGES.astype(jnp.float32)
FACTORS = jnp.asarray([0.0, 0.5, 0.9, 1.0, 1.3, 3.0])
TURNS = jnp.asarray([-0.5, -0.2, 0.0, 0.01, 0.3, 0.5])


def test_the_formulas():
    x, f = np.asarray(FLOATS, np.float64), np.asarray(FACTORS, np.float64)[:, None, None, None]
    grey = (x * [0.2989, 0.587, 0.114]).sum(-1, keepdims=True)
    for function, other in (
        (colour.adjust_brightness, 0),
        (colour.adjust_contrast, grey.mean((1, 2, 3), keepdims=True)),
        (colour.adjust_saturation, grey),
    ):
        np.testing.assert_allclose(
            function(FLOATS, FACTORS), np.clip(f * x + (1 - f) * other, 0, 255), atol=1e-3
        )


def test_hue_is_that_of_colorsys():
    turned = np.asarray(colour.adjust_hue(FLOATS, TURNS))
    for i in range(6):
        for got, pixel in zip(
            turned[i].reshape(-1, 3), np.asarray(FLOATS[i]).reshape(-1, 3), strict=True
        ):
            h, s, v = colorsys.rgb_to_hsv(*(pixel / 255))
            np.testing.assert_allclose(
                got, np.array(colorsys.hsv_to_rgb((h + float(TURNS[i])) % 1, s, v)) * 255, atol=1e-2
            )


def test_greys_and_black_have_no_hue():
    greys = jnp.broadcast_to(FLOATS[..., :1], FLOATS.shape).at[0].set(0.0)
    np.testing.assert_array_equal(colour.adjust_hue(greys, TURNS), greys)
    np.testing.assert_allclose(
        colour.adjust_saturation(greys, FACTORS), greys, atol=0.1
    )  # torchvision's weights add up to 0.9999


def test_images_of_one_channel_have_brightness_and_contrast_only():
    one, key = IMAGES[..., :1], jax.random.key(0)
    np.testing.assert_array_equal(colour.jitter(key, one, saturation=0.5, hue=0.5), one)
    lit = colour.jitter(key, one, brightness=0.5, saturation=0.5)
    np.testing.assert_array_equal(lit, colour.jitter(key, IMAGES, brightness=0.5)[..., :1])
    means = one.astype(jnp.float32).mean((1, 2, 3))
    changed = np.asarray(colour.adjust_contrast(one.astype(jnp.float32), FACTORS))
    np.testing.assert_allclose(changed[0], np.full((8, 6, 1), means[0]), rtol=1e-5)


@pytest.mark.parametrize(("reach", "low"), [(0.4, 0.6), (2.0, 0.0)])
def test_factors_are_uniform_between_their_bounds(reach, low):
    white = jnp.full((4000, 1, 1, 1), 50, jnp.uint8)
    factors = np.asarray(colour.jitter(jax.random.key(0), white, brightness=reach)).ravel() / 50
    assert low - 0.01 <= factors.min() < low + 0.05
    assert 1 + reach - 0.05 < factors.max() <= 1 + reach + 0.01
    assert factors.mean() == pytest.approx(
        (low + 1 + reach) / 2, abs=4 * (1 + reach - low) / np.sqrt(12 * 4000)
    )


def test_each_part_draws_from_its_own_stream():
    key, parts = (
        jax.random.key(3),
        {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1},
    )
    alone = [
        np.asarray(colour.jitter(key, IMAGES, **{name: reach})) for name, reach in parts.items()
    ]
    assert all((a != b).any() for i, a in enumerate(alone) for b in alone[:i])
    lit = colour.jitter(key, IMAGES, brightness=0.2).astype(jnp.float32)
    both = np.asarray(colour.jitter(key, IMAGES, brightness=0.2, hue=0.1)).astype(int)
    turned = np.asarray(
        colour.adjust_hue(
            lit, jax.random.uniform(colour.rng.stream(key, "hue"), (6,), jnp.float32, -0.1, 0.1)
        )
    )
    assert np.abs(both - turned).max() <= 2  # rounded once, not twice; a hue can magnify a half
