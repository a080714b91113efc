"""Encodes and decodes images with OpenCV, which releases Python's lock while it works."""

import os

import cv2
import numpy as np
import PIL.Image
from jaxtyping import UInt8

from transfer_jax.core.errors import DataError

ENCODINGS = ("jpeg", "png", "raw")
LOSSLESS = ("png", "raw")
FITS = ("pad", "squash")
METHODS = ("area", "bilinear", "nearest")
_PILLOW = {
    "bilinear": PIL.Image.Resampling.BILINEAR,
    "nearest": PIL.Image.Resampling.NEAREST,
}
_JPEG_QUALITY = 95


def decode(
    data: bytes, encoding: str, shape: tuple[int, int, int], where: str | os.PathLike[str]
) -> UInt8[np.ndarray, "h w c"]:
    """Returns an image that `encode` has written, as uint8 [h, w, c], 0-255, RGB order.

    Args:
      data: The bytes.
      encoding: One of `ENCODINGS`.
      shape: Height, width and channels.
      where: Name of the image, for messages.

    Raises:
      DataError: The bytes are no such image.
    """
    if encoding == "raw":
        image = np.frombuffer(data, np.uint8) if data else None
    else:
        flags = cv2.IMREAD_GRAYSCALE if shape[2] == 1 else cv2.IMREAD_COLOR_RGB
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
        except cv2.error:
            image = None
    if image is None or image.size != shape[0] * shape[1] * shape[2]:
        raise DataError(
            f"{where} is not an image of {shape[0]} x {shape[1]} x {shape[2]} pixels: prepare the"
            " data set again"
        )
    return image.reshape(shape)


def encode(image: UInt8[np.ndarray, "h w c"], encoding: str) -> bytes:
    """Encodes an image.

    Args:
      image: Image, uint8 [h, w, c], RGB order.
      encoding: "jpeg" (quality 95), "png" (lossless) or "raw" (the pixels themselves).
    """
    if encoding == "raw":
        return np.ascontiguousarray(image).tobytes()
    array = image if image.shape[-1] == 1 else image[..., ::-1]
    options = (
        [cv2.IMWRITE_PNG_COMPRESSION, 3]
        if encoding == "png"
        else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    done, data = cv2.imencode(f".{encoding}", array, options)
    if not done:
        raise ValueError(f"an image of shape {image.shape} could not be written as {encoding}")
    return data.tobytes()


def resize(
    image: UInt8[np.ndarray, "h w c"],
    size: int,
    fit: str,
    method: str = "area",
    *,
    deep: bool = False,
) -> UInt8[np.ndarray, "s s c"]:
    """Resizes an image to size x size pixels.

    Args:
      image: Image, uint8 [h, w, c].
      size: Pixels of both sides.
      fit: "pad" keeps the aspect ratio and fills with black, centred; "squash" does not keep it.
      method: "area" averages over areas when both sides shrink, and interpolates linearly
        otherwise, as OpenCV does; "bilinear" and "nearest" are those of Pillow, and so of Keras'
        `load_img` and of torchvision: bilinear filters of the size of the shrinkage, and the
        nearest pixel without any filter.
      deep: Whether the file held 16 bits in one channel. Where two pixels are equally near, Pillow
        takes the other one of them in such a file than in one of 8 bits.
    """
    h, w, c = image.shape
    height, width = (
        (size, size)
        if fit == "squash"
        else (max(1, round(h * size / max(h, w))), max(1, round(w * size / max(h, w))))
    )
    if (height, width) == (h, w) == (size, size):
        return image
    resized = _resized(image, height, width, method, deep).reshape(height, width, c)
    out = np.zeros((size, size, c), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    out[top : top + height, left : left + width] = resized
    return out


def _resized(
    image: np.ndarray, height: int, width: int, method: str, deep: bool
) -> UInt8[np.ndarray, "..."]:
    if method == "nearest" and deep:
        channels = np.moveaxis(image, -1, 0).astype(np.uint16)
        resized = [_by_pillow(channel, height, width, method) for channel in channels]
        return np.stack(resized, axis=-1).astype(np.uint8)
    if method in _PILLOW:
        pixels = image[..., 0] if image.shape[-1] == 1 else image
        return _by_pillow(pixels, height, width, method)
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=how)


def _by_pillow(pixels: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    return np.asarray(PIL.Image.fromarray(pixels).resize((width, height), _PILLOW[method]))
