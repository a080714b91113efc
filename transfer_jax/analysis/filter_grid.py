"""First-layer filters as a picture."""

import math

import numpy as np
from jaxtyping import Float, UInt8

_ZOOM, _GAP = 6, 2


def grid(
    kernel: Float[np.ndarray, "k k c d"], scale: float | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """Returns filters side by side on one scale, so that their sizes can be compared.

    Args:
      kernel: Kernel, [k, k, c, d]; c = 3 is shown as RGB, anything else as its mean over c.
      scale: Absolute weight that is shown as full contrast; by default the largest of the kernel.
        Zero is mid-grey.

    Returns:
      An RGB picture, uint8, with every filter magnified six times.
    """
    kernel = np.asarray(kernel, np.float64)
    k, _, channels, count = kernel.shape
    if channels != 3:
        kernel = np.repeat(kernel.mean(2, keepdims=True), 3, axis=2)
    limit = scale or float(np.abs(kernel).max()) or 1.0
    tiles = np.clip(127.5 + 127.5 * kernel / limit, 0, 255).astype(np.uint8).transpose(3, 0, 1, 2)
    tiles = tiles.repeat(_ZOOM, axis=1).repeat(_ZOOM, axis=2)
    columns = math.ceil(math.sqrt(2 * count))
    rows = math.ceil(count / columns)
    side = k * _ZOOM + _GAP
    picture = np.full((rows * side + _GAP, columns * side + _GAP, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = _GAP + (i // columns) * side, _GAP + (i % columns) * side
        picture[top : top + k * _ZOOM, left : left + k * _ZOOM] = tile
    return picture
