"""Encoded images to uint8 arrays and back: OpenCV, which lets go of Python's lock while it works."""

import os

import cv2
import numpy as np
from jaxtyping import UInt8

from transfer_jax.core.errors import DataError

ENCODINGS = ("jpeg", "png", "raw")
LOSSLESS = ("png", "raw")
FITS = ("pad", "squash")
_JPEG_QUALITY = 95


def decode(data: bytes, encoding: str, shape: tuple[int, int, int], where: str | os.PathLike[str]) -> UInt8[np.ndarray, "h w c"]:
    """An image that `encode` has written, as uint8 [h, w, c], 0-255, RGB order.

    Args:
      data: the bytes.
      encoding: of `ENCODINGS`.
      shape: h, w and c.
      where: names the image, for the error.

    Raises:
      DataError: the bytes are no such image.
    """
    if encoding == "raw":
        image = np.frombuffer(data, np.uint8) if len(data) == shape[0] * shape[1] * shape[2] else None
    else:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE if shape[2] == 1 else cv2.IMREAD_COLOR_RGB) if data else None
        except cv2.error:
            image = None
    if image is None or image.size != shape[0] * shape[1] * shape[2]:
        raise DataError(f"{where} is not an image of {shape[0]} x {shape[1]} x {shape[2]} pixels: prepare the data set again")
    return image.reshape(shape)


def encode(image: UInt8[np.ndarray, "h w c"], encoding: str) -> bytes:
    """The image's bytes as "jpeg" (quality 95), "png" (lossless) or "raw" (the pixels themselves)."""
    if encoding == "raw":
        return np.ascontiguousarray(image).tobytes()
    array = image if image.shape[-1] == 1 else image[..., ::-1]
    options = [cv2.IMWRITE_PNG_COMPRESSION, 3] if encoding == "png" else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    done, data = cv2.imencode(f".{encoding}", array, options)
    if not done:
        raise ValueError(f"an image of shape {image.shape} could not be written as {encoding}")
    return data.tobytes()


def resize(image: UInt8[np.ndarray, "h w c"], size: int, fit: str) -> UInt8[np.ndarray, "s s c"]:
    """The image at size x size pixels, by area averaging when it shrinks.

    Args:
      image: uint8 [h, w, c].
      size: pixels of both sides.
      fit: "pad" keeps the aspect ratio and fills with black, centred; "squash" does not keep it.
    """
    h, w, c = image.shape
    height, width = (size, size) if fit == "squash" else (max(1, round(h * size / max(h, w))), max(1, round(w * size / max(h, w))))
    if (height, width) == (h, w) == (size, size):
        return image
    shrinks = height <= h and width <= w
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR).reshape(height, width, c)
    out = np.zeros((size, size, c), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    out[top : top + height, left : left + width] = resized
    return out
