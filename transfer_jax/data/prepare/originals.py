"""Decodes original images to uint8 pixels: raster files (JPEG, PNG, TIFF, ...), DICOM, arrays."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image
from jaxtyping import UInt8

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Image
from transfer_jax.data.prepare import dicom_files, headers

# 15 bits in 16 reach half of the range, 12 bits a sixteenth.
_DARK = 0.5


class Original(NamedTuple):
    """A decoded image.

    Attributes:
      pixels: uint8 [h, w, c], 0-255, RGB order.
      reach: The brightest value as a share of the largest value of its type, for images of more
        than 8 bits whose whole range became 0-255; None for all others.
      deep: Whether a raster file held 16 bits in one channel.
    """

    pixels: UInt8[np.ndarray, "h w c"]
    reach: float | None = None
    deep: bool = False


def load(image: Image, channels: int, *, stretch: bool = False) -> UInt8[np.ndarray, "h w c"]:
    """Returns the pixels of an image, uint8 0-255 in RGB order; see `read`."""
    return read(image, channels, stretch=stretch).pixels


def read(image: Image, channels: int, *, stretch: bool = False) -> Original:
    """Decodes an image; grey is repeated and colour averaged to fit the number of channels.

    Args:
      image: A file, or a function that returns uint8 [h, w] or [h, w, c].
      channels: Number of channels of the result: 1 or 3.
      stretch: Whether images of more than 8 bits are stretched from their darkest to their
        brightest value; otherwise 0-65535 become 0-255. Signed, 32-bit and floating-point images
        are always stretched. A DICOM image follows its own window where it has one, and is
        stretched where it has none.

    Raises:
      DataError: The image cannot be opened, is no image, is cut off, has more than
        `headers.MOST_PIXELS` pixels, or has pixels that are NaN or infinite.
    """
    if not isinstance(image, Path):
        try:
            return Original(_fit(np.asarray(image()), channels, "an array"))
        except (OSError, ValueError, IndexError, KeyError) as error:
            raise DataError(f"an array of pixels cannot be read ({error})") from error
    try:
        data = image.read_bytes()
    except OSError as error:
        raise DataError(f"image {image} cannot be opened ({error.strerror})") from error
    if headers.is_dicom(data, image.suffix):
        return Original(_fit(dicom_files.decode(data, str(image)), channels, str(image)))
    _check_header(data, image)
    pixels = _decoded(data, channels, image)
    reach = float(pixels.max() / 65535) if pixels.dtype == np.uint16 and not stretch else None
    deep = pixels.dtype == np.uint16 and pixels.ndim == 2
    return Original(_fit(_to_8_bit(pixels, stretch, image), channels, str(image)), reach, deep)


def note_on_range(reaches: Sequence[float]) -> str | None:
    """Returns a note for the user, or None where no image of more than 8 bits comes out dark.

    Args:
      reaches: `Original.reach` of every image that has one.
    """
    dark = [reach for reach in reaches if reach <= _DARK]
    if not dark:
        return None
    brightest = round(255 * max(dark))
    return (
        f"{len(dark)} of {len(reaches)} images of more than 8 bits are dark: they use at most "
        f"{max(dark):.1%} of the range of their 16 bits, and their brightest pixel becomes "
        f"{brightest} of 255; --stretch gives each of them the range from its darkest to its "
        "brightest value"
    )


def preload(images: Iterable[Image]) -> None:
    """Imports the decoders of original images before threads need them.

    Imports in threads are where programs hang: a library that imports lazily replaces
    `builtins.__import__` for all threads meanwhile (see `storage.examples`). Decoders import late
    and in their own ways: Pillow its formats, pydicom the decoder of a transfer syntax,
    tensorflow-datasets what a feature needs, HDF5 at the first image of a file. To cover them all,
    the first image of every kind is decoded in the calling thread, and its pixels are dropped. A
    kind is a file's suffix, or "a function". An image that cannot be decoded is skipped: its error
    is raised, or counted, where the image is written.

    Args:
      images: Original images, see `load`.
    """
    first: dict[str | None, Image] = {}
    for image in images:
        first.setdefault(image.suffix.lower() if isinstance(image, Path) else None, image)
    if any(kind is not None for kind in first):
        PIL.Image.init()  # all formats, among which Pillow would look for that of a damaged image
    for image in first.values():
        try:
            load(image, channels=3)
        except DataError:
            continue


def _check_header(data: bytes, path: Path) -> None:
    try:
        height, width = headers.size(data)
    except PIL.Image.DecompressionBombError:
        message = f"{path} has more than {headers.MOST_PIXELS:,} pixels: it is refused"
        raise DataError(message) from None
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise _unreadable(path) from error
    headers.check_pixels(height, width, str(path))
    if headers.is_cut_off(data):
        raise DataError(f"{path} is cut off: its end is missing")


def _decoded(data: bytes, channels: int, path: Path) -> np.ndarray:
    """Returns pixels of any depth, [h, w] or RGB [h, w, 3]."""
    direct = headers.is_jpeg(data)
    if direct:  # libjpeg makes grey of colour, and colour of grey, while it decodes
        flags = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    else:
        # OpenCV converts no pixels of 32 bits, and gives wrong ones for 16-bit TIFFs in RGB order.
        flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise _unreadable(path)
    return pixels if direct or pixels.ndim == 2 else pixels[..., ::-1]


def _to_8_bit(pixels: np.ndarray, stretch: bool, path: Path) -> UInt8[np.ndarray, "..."]:
    """Returns pixels of any depth as 0-255: the range of 16 bits, or of the values that occur."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if not np.isfinite(pixels).all():
        count = pixels.size - np.count_nonzero(np.isfinite(pixels))
        reason = f"has {count} values that are NaN or infinite"
        raise DataError(f"{path} {reason}: replace it, or take its row out of the table")
    whole = pixels.dtype == np.uint16 and not stretch
    low, high = (0.0, 65535.0) if whole else (float(pixels.min()), float(pixels.max()))
    factor = 255 / (high - low) if high > low else 0.0
    precise: np.ndarray = pixels.astype(np.float32 if pixels.dtype.itemsize <= 2 else np.float64)
    return np.round((precise - low) * factor).astype(np.uint8)


def _unreadable(path: Path) -> DataError:
    what = "is not a readable JPEG or PNG image"
    return DataError(f"{path} {what}: replace it, or take its row out of the table")


def _fit(pixels: np.ndarray, channels: int, where: str) -> UInt8[np.ndarray, "h w c"]:
    image = pixels[..., None] if pixels.ndim == 2 else pixels
    shaped = image.ndim == 3 and image.shape[2] in (1, 3) and image.size > 0
    if image.dtype != np.uint8 or not shaped:
        content = f"its shape is {pixels.shape}, its type {pixels.dtype}"
        raise DataError(f"{where} is no image of 8-bit grey or RGB pixels: {content}")
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
