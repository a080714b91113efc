"""The affine map against the real Keras, whose version 3 takes the pixel centre (-0.5) and swaps
the axes of the matrix.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import apply_affine_transform

from transfer_jax.data.augment import affine

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 18, 18, 3)).astype(np.float32)
DRAWN = affine.draw(
    jax.random.key(0), 6, 18, 18, rotation=60, height_shift=0.2, width_shift=0.4, shear=20, zoom=0.3
)


def theirs(**axes):
    warped = []
    for i, image in enumerate(IMAGES):
        theta, tx, ty, shear, zx, zy = (float(values[i]) for values in DRAWN)
        warped.append(
            apply_affine_transform(
                image, theta, tx, ty, shear, zx, zy, channel_axis=2, fill_mode="reflect", **axes
            )
        )
    return np.stack(warped)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_square_images_are_those_of_keras_without_its_swap():
    ours = affine.warp(jnp.asarray(IMAGES), affine.matrices(DRAWN, 18, 18), "reflect")
    np.testing.assert_allclose(ours, theirs(row_axis=1, col_axis=0), atol=1e-4 * 255)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_swap_of_keras_3_is_the_map_of_the_transposed_image():
    ours = affine.warp(
        jnp.asarray(IMAGES.swapaxes(1, 2)), affine.matrices(DRAWN, 18, 18), "reflect"
    ).swapaxes(1, 2)
    np.testing.assert_allclose(ours, theirs(row_axis=0, col_axis=1), atol=1e-4 * 255)
