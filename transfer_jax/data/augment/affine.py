"""Rotation, shift, shear and zoom in one bilinear warp, as Keras's ImageDataGenerator defines them.

Source: keras_preprocessing 1.1.2, image/affine_transformations.py (`apply_affine_transform`),
which calls scipy.ndimage.affine_transform(order=1) channel by channel. Later Keras (3.15 was
checked) swaps the axes of the matrix: there height_shift_range moves columns, rotation turns the
other way, and images that are not square turn about a wrong point.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Num

from transfer_jax.core import rng
from transfer_jax.data.augment.interpolation import Places, bilinear, continued

# The centre of the pixels 0..n-1 is at n/2 - 1/2: Keras 2.15 and later.
PIXEL_CENTRE = -0.5
# keras_preprocessing 1.1.2 and the Keras of its time: one pixel down and right of the centre.
KERAS_PREPROCESSING = 0.5
# Pixels; float32 coordinates of images of 224 pixels are wrong by up to 3e-5.
_ROUNDING = 1e-4


class Parameters(NamedTuple):
    """Draws per image; output pixels are looked up at rotation · shift · shear · zoom of theirs.

    Attributes:
      rotation: Angle, degrees.
      shift_rows: Shift, pixels, not whole ones.
      shift_columns: Shift, pixels.
      shear: Angle, degrees.
      zoom_rows: Factor; below one magnifies.
      zoom_columns: Factor, independent of the other.
    """

    rotation: Float[Array, " b"]
    shift_rows: Float[Array, " b"]
    shift_columns: Float[Array, " b"]
    shear: Float[Array, " b"]
    zoom_rows: Float[Array, " b"]
    zoom_columns: Float[Array, " b"]


def draw(
    key: jax.Array,
    b: int,
    h: int,
    w: int,
    *,
    rotation: float = 0.0,
    height_shift: float = 0.0,
    width_shift: float = 0.0,
    shear: float = 0.0,
    zoom: float = 0.0,
) -> Parameters:
    """Draws parameters for b images of h x w pixels, uniformly and independently.

    Each parameter comes from a stream of its own.

    Args:
      key: Typed PRNG key.
      b: Number of images.
      h: Rows of an image.
      w: Columns of an image.
      rotation: Angles are U(-rotation, rotation), degrees.
      height_shift: Largest shift of the rows, as a fraction of h.
      width_shift: Largest shift of the columns, as a fraction of w.
      shear: Largest angle, degrees.
      zoom: Factors are U(1 - zoom, 1 + zoom), one for rows and one for columns.
    """

    def around(name: str, reach: float, middle: float = 0.0) -> Array:
        if not reach:
            return jnp.full((b,), middle, jnp.float32)
        return jax.random.uniform(
            rng.stream(key, name), (b,), jnp.float32, middle - reach, middle + reach
        )

    return Parameters(
        rotation=around("rotation", rotation),
        shift_rows=around("shift_rows", height_shift * h),
        shift_columns=around("shift_columns", width_shift * w),
        shear=around("shear", shear),
        zoom_rows=around("zoom_rows", zoom, 1.0),
        zoom_columns=around("zoom_columns", zoom, 1.0),
    )


def matrices(
    parameters: Parameters, h: int, w: int, half_pixel: float = PIXEL_CENTRE
) -> Float[Array, "b 2 3"]:
    """Returns maps from (row, column, 1) of the output to (row, column) of the input, in pixels.

    The product C·R·T·S·Z·C⁻¹ is written out: accelerators would multiply matrices in bfloat16 or
    TF32.

    Args:
      parameters: Parameters of b images.
      h: Rows of an image.
      w: Columns of an image.
      half_pixel: The fixed point of rotation, shear and zoom is (h/2, w/2) plus this.
    """
    theta, phi = jnp.deg2rad(parameters.rotation), jnp.deg2rad(parameters.shear)
    cos, sin = jnp.cos(theta), jnp.sin(theta)
    m00, m10 = cos * parameters.zoom_rows, sin * parameters.zoom_rows
    m01, m11 = (
        -jnp.sin(theta + phi) * parameters.zoom_columns,
        jnp.cos(theta + phi) * parameters.zoom_columns,
    )
    row, column = h / 2 + half_pixel, w / 2 + half_pixel
    offset_row = (
        cos * parameters.shift_rows
        - sin * parameters.shift_columns
        + (1 - m00) * row
        - m01 * column
    )
    offset_column = (
        sin * parameters.shift_rows
        + cos * parameters.shift_columns
        + (1 - m11) * column
        - m10 * row
    )
    return jnp.stack(
        [jnp.stack([m00, m01, offset_row], -1), jnp.stack([m10, m11, offset_column], -1)], 1
    )


def mirrored(
    matrices: Float[Array, "b 2 3"],
    top_bottom: Bool[Array, " b"],
    left_right: Bool[Array, " b"],
    h: int,
    w: int,
) -> Float[Array, "b 2 3"]:
    """Returns maps whose output is also mirrored.

    Args:
      matrices: Output -> input, as from `matrices`.
      top_bottom: Which images are mirrored top and bottom.
      left_right: Which images are mirrored left and right.
      h: Rows of an image.
      w: Columns of an image.
    """
    rows, columns, offset = (matrices[..., i] for i in range(3))
    offset = (
        offset
        + jnp.where(top_bottom[:, None], rows * (h - 1), 0)
        + jnp.where(left_right[:, None], columns * (w - 1), 0)
    )
    return jnp.stack(
        [
            jnp.where(top_bottom[:, None], -rows, rows),
            jnp.where(left_right[:, None], -columns, columns),
            offset,
        ],
        -1,
    )


def warp(
    images: Num[Array, "b h w c"],
    matrices: Float[Array, "b 2 3"],
    fill: str = "nearest",
    value: float = 0.0,
) -> Num[Array, "b h w c"]:
    """Computes scipy.ndimage.affine_transform(order=1, mode=fill, cval=value) of every channel.

    Args:
      images: uint8 0-255, or floating point of any range.
      matrices: Output -> input, as from `matrices`.
      fill: Content beyond the edge: "nearest" repeats the edge, "constant" is `value` for every
        place beyond the centres of the outermost pixels (nothing is blended), "reflect" mirrors
        about the edge (d c b a | a b c d | d c b a), "wrap" repeats with the period n - 1.
      value: Value of "constant".

    Returns:
      uint8, rounded to the nearest, for uint8 (Keras keeps float32 there: the difference is at
      most one half); otherwise float32.

    Raises:
      ConfigError: The fill is unknown.
    """
    _, h, w, _ = images.shape
    return bilinear(images, places(matrices, h, w, fill), value)


def places(matrices: Float[Array, "b 2 3"], h: int, w: int, fill: str) -> Places:
    """Returns where `warp` looks up the pixels of images of h x w pixels."""
    r, c = (
        jnp.arange(h, dtype=jnp.float32)[None, :, None],
        jnp.arange(w, dtype=jnp.float32)[None, None],
    )
    rows, columns = (
        m[:, 0, None, None] * r + m[:, 1, None, None] * c + m[:, 2, None, None]
        for m in (matrices[:, 0], matrices[:, 1])
    )
    within = Places(continued(rows, h, fill), continued(columns, w, fill))
    if fill != "constant":
        return within
    outside = jnp.maximum(jnp.abs(rows - within.rows), jnp.abs(columns - within.columns))  # pixels
    return within._replace(inside=(outside <= _ROUNDING).astype(jnp.float32))
