"""Original images as publishers give them to uint8 pixels: JPEG, PNG (8 and 16 bit) and other raster files, DICOM, arrays."""

import io
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from jaxtyping import UInt8

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Image

MOST_PIXELS = 100_000_000
_DICOM = b"DICM"


def load(image: Image, channels: int, *, stretch: bool = False) -> UInt8[np.ndarray, "h w c"]:
    """The pixels of an image, 0-255, RGB order; grey is repeated and colour averaged to fit.

    Args:
      image: a file, or a function that gives uint8 [h, w] or [h, w, c].
      channels: wanted, c: 1 or 3.
      stretch: images of more than 8 bits are stretched from their darkest to their brightest value; otherwise a PNG's 0-65535
        become 0-255. A DICOM image follows its own window where it has one, and is stretched where it has none.

    Raises:
      DataError: the image cannot be opened, is no image, or has more than `MOST_PIXELS` pixels.
    """
    if not isinstance(image, Path):
        try:
            return _fit(np.asarray(image()), channels, "an array")
        except (OSError, ValueError, IndexError, KeyError) as error:
            raise DataError(f"an array of pixels cannot be read ({error})") from error
    try:
        data = image.read_bytes()
    except OSError as error:
        raise DataError(f"image {image} cannot be opened ({error.strerror})") from error
    if data[128:132] == _DICOM or image.suffix.lower() in (".dcm", ".dicom"):
        from transfer_jax.data import dicom

        return _fit(dicom.decode(data, str(image)), channels, str(image))
    _check_size(data, image)
    _check_end(data, image)
    flags = cv2.IMREAD_ANYDEPTH | (cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise _unreadable(image)
    return _fit(to_8_bit(pixels, stretch), channels, str(image))


def to_8_bit(pixels: np.ndarray, stretch: bool) -> UInt8[np.ndarray, "..."]:
    """Pixels of any depth as 0-255: the whole range of their type, or stretched between their extremes."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = (float(pixels.min()), float(pixels.max())) if stretch or pixels.dtype != np.uint16 else (0.0, 65535.0)
    scaled = (pixels.astype(np.float32) - low) * (255 / (high - low) if high > low else 0.0)
    return np.round(scaled).astype(np.uint8)


def _check_size(data: bytes, path: Path) -> None:
    # From the header alone: a few kilobytes may promise gigabytes of pixels.
    try:
        with PIL.Image.open(io.BytesIO(data)) as header:
            width, height = header.size
    except PIL.Image.DecompressionBombError:
        raise DataError(f"{path} has more than {MOST_PIXELS:,} pixels: it is refused") from None
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise _unreadable(path) from error
    check_pixels(height, width, str(path))


def _check_end(data: bytes, path: Path) -> None:
    # OpenCV fills up what is missing from a file that was cut off, and says nothing.
    for begin, end in ((b"\xff\xd8", b"\xff\xd9"), (b"\x89PNG", b"IEND")):
        if data.startswith(begin) and data.rfind(end) < len(data) // 2:
            raise DataError(f"{path} is cut off: its end is missing")


def check_pixels(height: int, width: int, where: str) -> None:
    """Raises DataError for an image that would fill the memory."""
    if height * width > MOST_PIXELS:
        raise DataError(f"{where} has {height} x {width} pixels, more than {MOST_PIXELS:,}: it is refused")


def _unreadable(path: Path) -> DataError:
    return DataError(f"{path} is not a readable JPEG or PNG image: replace it, or take its row out of the table")


def _fit(pixels: np.ndarray, channels: int, where: str) -> UInt8[np.ndarray, "h w c"]:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or 0 in pixels.shape or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3)):
        raise DataError(f"{where} is no image of 8-bit grey or RGB pixels: its shape is {pixels.shape}, its type {pixels.dtype}")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] == channels:
        return pixels
    return np.repeat(pixels, 3, axis=2) if channels == 3 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
