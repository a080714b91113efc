"""Random resized crops: a random part of each image, enlarged to the size of the whole."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from transfer_jax.core import rng
from transfer_jax.data.augment.interpolation import Places, bilinear

_TRIES = 10  # torchvision's
RATIO = (3 / 4, 4 / 3)  # torchvision's, width over height


class Boxes(NamedTuple):
    """Parts of images, in whole pixels."""

    top: Float[Array, " b"]
    left: Float[Array, " b"]
    height: Float[Array, " b"]
    width: Float[Array, " b"]


def draw_boxes(
    key: jax.Array, b: int, h: int, w: int, smallest: float, ratio: tuple[float, float] = RATIO
) -> Boxes:
    """Draws boxes as torchvision.transforms.RandomResizedCrop does.

    A box that does not fit is drawn again, up to ten times in all; after that it is the largest
    one in the middle with a ratio in the range.

    Args:
      key: Typed PRNG key.
      b: Number of images.
      h: Rows of an image.
      w: Columns of an image.
      smallest: Share of the area of the smallest crop, above 0, at most 1; shares are uniform from
        there to 1.
      ratio: Least and greatest width over height; its logarithm is uniform.
    """
    area = (
        h * w * jax.random.uniform(rng.stream(key, "area"), (b, _TRIES), jnp.float32, smallest, 1.0)
    )
    shape = jnp.exp(
        jax.random.uniform(
            rng.stream(key, "ratio"),
            (b, _TRIES),
            jnp.float32,
            math.log(ratio[0]),
            math.log(ratio[1]),
        )
    )
    widths, heights = jnp.round(jnp.sqrt(area * shape)), jnp.round(jnp.sqrt(area / shape))
    fits = (widths > 0) & (widths <= w) & (heights > 0) & (heights <= h)
    first, any_fits = jnp.argmax(fits, 1)[:, None], fits.any(1)
    whole_width, whole_height = min(w, round(h * ratio[1])), min(h, round(w / ratio[0]))
    width = jnp.where(any_fits, jnp.take_along_axis(widths, first, 1)[:, 0], whole_width)
    height = jnp.where(any_fits, jnp.take_along_axis(heights, first, 1)[:, 0], whole_height)

    def start(name: str, room: Array) -> Array:
        anywhere = jnp.minimum(
            jnp.floor(jax.random.uniform(rng.stream(key, name), (b,)) * (room + 1)), room
        )
        return jnp.where(any_fits, anywhere, jnp.floor(room / 2))

    return Boxes(start("top", h - height), start("left", w - width), height, width)


def within(boxes: Boxes, whole: Places, h: int, w: int) -> Places:
    """Returns places in the enlarged boxes, of h x w pixels, as places in the whole images.

    Pixels are enlarged: half of one belongs on either side of its centre. Pixels beyond the box
    play no part.
    """

    def enlarged(x: Array, n: int, start: Array, size: Array) -> Array:
        start, size = start[:, None, None], size[:, None, None]
        return jnp.clip((x + 0.5) * (size / n) - 0.5, 0, size - 1) + start

    return whole._replace(
        rows=enlarged(whole.rows, h, boxes.top, boxes.height),
        columns=enlarged(whole.columns, w, boxes.left, boxes.width),
    )


def resize_boxes(images: UInt8[Array, "b h w c"], boxes: Boxes) -> UInt8[Array, "b h w c"]:
    """Enlarges each image's box to the size of the image: bilinear, rounded to the nearest."""
    b, h, w, _ = images.shape
    rows, columns = (jax.lax.broadcasted_iota(jnp.float32, (b, h, w), axis) for axis in (1, 2))
    return bilinear(images, within(boxes, Places(rows, columns), h, w))


def resized_crop(
    key: jax.Array,
    images: UInt8[Array, "b h w c"],
    smallest: float,
    ratio: tuple[float, float] = RATIO,
) -> UInt8[Array, "b h w c"]:
    """Enlarges a random crop of each image to the size of the image; see `draw_boxes`."""
    b, h, w, _ = images.shape
    return resize_boxes(images, draw_boxes(key, b, h, w, smallest, ratio))
