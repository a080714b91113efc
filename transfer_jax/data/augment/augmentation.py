"""All augmentations as one: their options, ranges, and the order in which they act."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt8

from transfer_jax.core import rng
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.fusion import settle
from transfer_jax.core.names import nearest
from transfer_jax.data.augment import affine, colour, geometric, resized
from transfer_jax.data.augment.interpolation import FILLS, bilinear

_AFFINE = ("rotation", "height_shift", "width_shift", "shear", "zoom")
_COLOUR = ("brightness", "contrast", "saturation", "hue")
_RANGES: dict[str, tuple[float, float]] = {
    "shift": (0, float("inf")),
    "crop": (0, float("inf")),
    "resized_crop": (0, 1),
    "rotation": (0, 180),
    "height_shift": (0, 1),
    "width_shift": (0, 1),
    "shear": (0, 89),
    "zoom": (0, 0.99),
    "fill_value": (0, 255),
    "brightness": (0, 10),
    "contrast": (0, 10),
    "saturation": (0, 10),
    "hue": (0, 0.5),
}


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Augmentation of training images; nothing by default.

    Attributes:
      flip: Mirrors left and right with probability one half.
      shift: Largest shift in either direction, whole pixels; the edge is repeated.
      vertical_flip: Mirrors top and bottom with probability one half.
      quarter_turn: Turns by 0, 90, 180 or 270 degrees; square images only.
      crop: Border that is added on all sides before a window of the image's own size is cut out,
        pixels; it has the value `fill_value`.
      resized_crop: Smallest share of the area that a random part must have before it is enlarged
        to the whole; 0 is off.
      rotation: Largest angle, degrees, 0 to 180.
      height_shift: Largest shift of the rows, fraction of the height, 0 to 1.
      width_shift: Largest shift of the columns, fraction of the width, 0 to 1.
      shear: Largest angle, degrees (not radians), 0 to 89.
      zoom: Rows and columns are scaled by independent factors of 1 - zoom to 1 + zoom, 0 to 0.99.
      fill: Content beyond the edge after rotation, shifts, shear and zoom: nearest, constant,
        reflect or wrap (see `interpolation.FILLS`).
      fill_value: Value of "constant" and of `crop`, 0-255.
      brightness: Factors are 1 - x to 1 + x.
      contrast: Factors are 1 - x to 1 + x.
      saturation: Factors are 1 - x to 1 + x; grey images have none.
      hue: Largest turn as a share of the colour circle, 0 to 0.5; grey images have none.
      keras_half_pixel: Rotates, shears and zooms about the point that keras_preprocessing 1.1.2
        takes for the centre.

    Raises:
      ConfigError: A value is out of its range, or `fill` is unknown.
    """

    flip: bool = False
    shift: int = 0
    vertical_flip: bool = False
    quarter_turn: bool = False
    crop: int = 0
    resized_crop: float = 0.0
    rotation: float = 0.0
    height_shift: float = 0.0
    width_shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    fill: str = "nearest"
    fill_value: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    keras_half_pixel: bool = False

    def __post_init__(self) -> None:
        """Checks the ranges."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                bounds = (
                    f"must be {low:g} or more"
                    if high == float("inf")
                    else f"must be {low:g} to {high:g}"
                )
                raise ConfigError(f"augmentation {name}={value!r} {bounds}")
        if self.fill not in FILLS:
            raise ConfigError(
                f"augmentation fill={self.fill!r} is unknown: {nearest(self.fill, FILLS)}"
            )


def augment(
    key: jax.Array, images: UInt8[Array, "b h w c"], how: Augmentation
) -> UInt8[Array, "b h w c"]:
    """Augments every image with draws of its own.

    The order: whole pixels (shift, crop, quarter turns), resized crop, affine map, flips, colour.
    From the affine map on it is that of Keras's ImageDataGenerator. Resized crop, affine map and
    flips are one interpolation. Every part draws from a stream of its own under `key`, so that
    switching one on or off leaves the draws of the others unchanged. Parts that are off cost
    nothing.

    Raises:
      ConfigError: Quarter turns of images that are not square.
    """
    if how.shift:
        images = geometric.shift(rng.stream(key, "shift"), images, how.shift)
    if how.crop:
        images = geometric.crop(rng.stream(key, "crop"), images, how.crop, how.fill_value)
    if how.quarter_turn:
        images = geometric.quarter_turn(rng.stream(key, "quarter_turn"), images)
    if how.shift or how.crop or how.quarter_turn:
        images = settle(images)
    reaches = {name: getattr(how, name) for name in _AFFINE}
    if how.resized_crop or any(reaches.values()):
        images = settle(_interpolated(key, images, how, reaches))
    else:
        images = geometric.flip(rng.stream(key, "flip"), images) if how.flip else images
        images = (
            geometric.flip_vertical(rng.stream(key, "vertical_flip"), images)
            if how.vertical_flip
            else images
        )
    reaches = {name: getattr(how, name) for name in _COLOUR}
    return (
        colour.jitter(rng.stream(key, "colour"), images, **reaches)
        if any(reaches.values())
        else images
    )


def _interpolated(
    key: jax.Array, images: UInt8[Array, "b h w c"], how: Augmentation, reaches: dict[str, float]
) -> UInt8[Array, "b h w c"]:
    """Applies resized crop, affine map and flips as one interpolation."""
    b, h, w, _ = images.shape
    parameters = affine.draw(rng.stream(key, "affine"), b, h, w, **reaches)
    maps = affine.matrices(
        parameters,
        h,
        w,
        affine.KERAS_PREPROCESSING if how.keras_half_pixel else affine.PIXEL_CENTRE,
    )
    left_right, top_bottom = (
        geometric.halves(rng.stream(key, name), b) if on else jnp.zeros((b,), bool)
        for name, on in (("flip", how.flip), ("vertical_flip", how.vertical_flip))
    )
    places = affine.places(affine.mirrored(maps, top_bottom, left_right, h, w), h, w, how.fill)
    if how.resized_crop:
        boxes = resized.draw_boxes(rng.stream(key, "resized_crop"), b, h, w, how.resized_crop)
        places = resized.within(boxes, places, h, w)
    return bilinear(images, places, how.fill_value)
