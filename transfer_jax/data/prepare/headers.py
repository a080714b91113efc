"""Facts of an image file before it is decoded: its format, its size, and whether it is complete.

A few kilobytes may promise gigabytes of pixels, and decoders may fill up what is missing: both are
refused here.
"""

import io
import re

import PIL.Image
import PIL.TiffImagePlugin

from transfer_jax.core.errors import DataError

MOST_PIXELS = 100_000_000
_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257

# In entropy-coded data of JPEG and JPEG-LS, 0xff is followed by less than 0x80 or by a restart
# marker (0xd0-0xd7).
_MARKER = re.compile(rb"\xff+([\x80-\xcf\xd8-\xfe])")
_START_OF_IMAGE, _END_OF_IMAGE = 0xD8, 0xD9

# A file without preamble begins with a tag of group 2 or 8, followed by two letters or a length.
_BARE_DICOM = re.compile(
    rb"(?:(?:[\x02\x08]\0..)|(?:\0[\x02\x08]..))(?:[A-Z]{2}|..\0\0)",
    re.DOTALL,
)


def is_dicom(data: bytes, suffix: str) -> bool:
    """Returns whether a file is read as DICOM: by its mark, its suffix or its first tag.

    Args:
      data: Contents of the file.
      suffix: Suffix of its name, with the dot.
    """
    if data[128:132] == b"DICM" or suffix.lower() in (".dcm", ".dicom"):
        return True
    return _BARE_DICOM.match(data) is not None


def is_jpeg(data: bytes) -> bool:
    """Returns whether the data begin as a JPEG file does."""
    return data.startswith(_JPEG)


def size(data: bytes) -> tuple[int, int]:
    """Returns height and width of an image in pixels, from its header alone.

    Args:
      data: Contents of the file.

    Raises:
      PIL.Image.DecompressionBombError: The image is far too large.
      Exception: Pillow cannot read the header; it raises many kinds for damaged files.
    """
    if data.startswith(_TIFF):
        # Pillow opens no TIFF of 64 bits or of several channels of floats, but reads their tags.
        wide = data[2:4] in (b"+\0", b"\0+")
        tags = PIL.TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if wide else 8])
        stream = io.BytesIO(data)
        stream.seek(tags.next)
        tags.load(stream)
        return int(tags[_TIFF_HEIGHT]), int(tags[_TIFF_WIDTH])
    with PIL.Image.open(io.BytesIO(data)) as header:
        return header.height, header.width


def check_pixels(height: int, width: int, where: str) -> None:
    """Checks that an image would not fill the memory.

    Args:
      height: Height of the image, pixels.
      width: Width of the image, pixels.
      where: Name of the image, for the message.

    Raises:
      DataError: The image has more than `MOST_PIXELS` pixels.
    """
    if height * width > MOST_PIXELS:
        size = f"{height} x {width} pixels, more than {MOST_PIXELS:,}"
        raise DataError(f"{where} has {size}: it is refused")


def is_cut_off(data: bytes) -> bool:
    """Returns whether a JPEG or PNG file lacks its end; other formats are left to their decoders.

    The end of the image itself counts: those of thumbnails and of further pictures do not.

    Args:
      data: Contents of the file.
    """
    if is_jpeg(data):
        return not _jpeg_ends(data)
    return data.startswith(_PNG) and not _png_ends(data)


def _jpeg_ends(data: bytes) -> bool:
    """Follows the segments from marker to marker; only entropy-coded data are searched."""
    position = len(_JPEG)
    while (match := _MARKER.search(data, position)) is not None:
        marker, position = match[1][0], match.end()
        if marker in (_START_OF_IMAGE, _END_OF_IMAGE):
            return marker == _END_OF_IMAGE  # the start of another picture comes too early
        position += int.from_bytes(data[position : position + 2], "big")
    return False


def _png_ends(data: bytes) -> bool:
    position = len(_PNG)
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND":
            return position <= len(data)
    return False
