"""DICOM images as pydicom and a viewer show them: files, pixels, and refusals.

pydicom is optional (the extra `dicom`), so that this module and its siblings import it in the
functions that need it.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import dicom_display, dicom_tables, headers
from transfer_jax.data.prepare.dicom_tags import PIXELS, READ, Refusal, integer, required, value

_GREY = ("MONOCHROME1", "MONOCHROME2")
_PALETTE = "PALETTE COLOR"
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_KNOWN = (*_GREY, _PALETTE, *_COLOUR)
_INSTALL = "python -m pip install -e '.[dicom]'"


def decode(data: bytes, where: str) -> np.ndarray:
    """Returns the pixels of a DICOM file as a viewer would show them.

    Grey images follow `dicom_display.grey`. Palettes are looked up; luminance and chrominance are
    converted to RGB. Overlays, colour profiles and presentation states are ignored. No tag that
    names a person is read.

    Args:
      data: Contents of the file.
      where: Name of the file, for errors.

    Returns:
      uint8 [h, w] or, in RGB order, [h, w, 3].

    Raises:
      DataError: pydicom is not installed, or the file is damaged, is compressed in a way that no
        installed decoder reads, has no pixels or several frames, is too large, or has a tag whose
        value is unknown or impossible.
    """
    try:
        import pydicom
    except ImportError as error:
        message = f"{where} is a DICOM image: install its reader with: {_INSTALL}"
        raise DataError(message) from error
    try:
        file = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=READ)
        _check_one_image(file)
        headers.check_pixels(integer(file, "Rows"), integer(file, "Columns"), where)
        return _shown(file)
    except Refusal as error:
        raise DataError(f"{where} is not a readable DICOM image: {error}") from error
    except DataError:
        raise
    except Exception as error:  # pydicom and its decoders raise many kinds for damaged files
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{where} is not a readable DICOM image ({reason})") from error


def describe(path: Path, tags: Sequence[str]) -> dict[str, str]:
    """Returns tag -> its text, from the header of a DICOM file.

    A tag that is absent or empty is left out, and so are all tags of a file that cannot be read: it
    is rejected where its image is decoded. Several values are separated by backslashes, as in the
    file.

    Args:
      path: The file.
      tags: Keywords of `dicom_tags.DESCRIPTIONS`.

    Raises:
      DataError: pydicom is not installed.
    """
    try:
        import pydicom
    except ImportError as error:
        message = f"{path} is a DICOM image: install its reader with: {_INSTALL}"
        raise DataError(message) from error
    try:
        file = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(tags))
        values = {tag: value(file, tag) for tag in tags}
    except Exception:  # pydicom raises many kinds for damaged files
        return {}
    return {tag: _text(content) for tag, content in values.items() if content is not None}


def _text(content: Any) -> str:
    several = isinstance(content, list | tuple) or type(content).__name__ == "MultiValue"
    return "\\".join(map(str, content)).strip() if several else str(content).strip()


def _check_one_image(file: Any) -> None:
    """Refuses files without pixels, and files of several frames."""
    if not any(keyword in file for keyword in PIXELS):
        kind = value(file, "SOPClassUID") or value(file.file_meta, "MediaStorageSOPClassUID")
        name = "of no known kind" if kind is None else kind.name
        raise Refusal(f"it holds no pixels (it is {name})")
    frames = integer(file, "NumberOfFrames", 1)
    if frames > 1:
        raise Refusal(f"it holds {frames} frames: only single images are read")


def _shown(file: Any) -> np.ndarray:
    interpretation = str(required(file, "PhotometricInterpretation"))
    if interpretation not in _KNOWN:
        shown = ", ".join(_KNOWN)
        raise Refusal(f"its PhotometricInterpretation is {interpretation!r}, shown are {shown}")
    samples = integer(file, "SamplesPerPixel")
    if samples != (3 if interpretation in _COLOUR else 1):
        raise Refusal(f"its SamplesPerPixel is {samples}, which does not go with {interpretation}")
    if "PixelData" in file:
        stored_bits = integer(file, "BitsStored")
        high_bit = integer(file, "HighBit", stored_bits - 1)
        if high_bit != stored_bits - 1:
            reason = (
                f"its values do not lie in the lowest bits, and its BitsStored is {stored_bits}"
            )
            raise Refusal(f"its HighBit is {high_bit}: {reason}")
    presentation = value(file, "PixelPresentation")
    if presentation in ("COLOR", "MIXED") and interpretation not in _COLOUR:
        reason = "colours of a supplemental palette are not shown"
        raise Refusal(f"its PixelPresentation is {presentation}: {reason}")
    _complete_meta(file)
    syntax = file.file_meta.TransferSyntaxUID
    stored, decoded_as = _stored(file)
    if interpretation in _COLOUR:
        if decoded_as != "RGB":
            reason = f"in {syntax.name}, which pydicom does not convert to RGB"
            raise Refusal(f"its colours are {decoded_as} {reason}")
        return dicom_display.colour(stored, file)
    little_endian = bool(syntax.is_little_endian)
    if interpretation == _PALETTE:
        return dicom_tables.palette_colours(stored, file, little_endian=little_endian)
    padding = _padding(stored, file)
    return dicom_display.grey(stored, file, padding, little_endian=little_endian)


def _complete_meta(file: Any) -> None:
    """Adds a missing transfer syntax: uncompressed pixels are encoded as the rest of the file."""
    from pydicom import uid

    if value(file.file_meta, "TransferSyntaxUID") is not None:
        return
    keyword = next(keyword for keyword in PIXELS if keyword in file)
    if file[keyword].is_undefined_length:
        raise Refusal("it has no TransferSyntaxUID, which would say how its pixels are compressed")
    implicit, little_endian = file.original_encoding
    explicit = uid.ExplicitVRLittleEndian if little_endian else uid.ExplicitVRBigEndian
    file.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit


def _stored(file: Any, **options: Any) -> tuple[np.ndarray, str]:
    """Decodes the pixels, [h, w] or [h, w, 3], and says which interpretation they then have."""
    from pydicom import pixels

    syntax = file.file_meta.TransferSyntaxUID
    try:
        decoder = pixels.get_decoder(syntax)
    except NotImplementedError as error:
        reason = f"{syntax.name} ({syntax}), which pydicom does not decode"
        raise Refusal(f"its pixels are stored as {reason}") from error
    needs = (line.partition(" requires ") for line in decoder.missing_dependencies)
    missing = [packages for plugin, _, packages in needs if plugin.startswith("pylibjpeg")]
    install = f"{_INSTALL} (it brings {' and '.join(missing)})"
    if not decoder.is_available:
        reason = f"for which no decoder is installed: {install}"
        raise Refusal(f"its pixels are stored as {syntax.name}, {reason}")
    _check_stream(file)
    try:
        stored, properties = decoder.as_array(file, **options)
    except Exception as error:
        if not missing:
            raise
        tried = ", ".join(decoder.available_plugins)
        reason = f"need another decoder than {tried}: {install} ({' '.join(str(error).split())})"
        raise Refusal(f"its {syntax.name} pixels {reason}") from error
    if stored.ndim != (3 if integer(file, "SamplesPerPixel") == 3 else 2):
        reason = "though NumberOfFrames does not say so: only single images are read"
        raise Refusal(f"its pixels are {len(stored)} frames, {reason}")
    return stored, str(properties["photometric_interpretation"])


def _check_stream(file: Any) -> None:
    """Refuses a JPEG stream without its end, which libjpeg would fill up."""
    from pydicom import encaps, uid

    jpegs = (*uid.JPEGTransferSyntaxes, *uid.JPEGLSTransferSyntaxes)
    if file.file_meta.TransferSyntaxUID in jpegs:
        stream = encaps.get_frame(file.PixelData, 0, number_of_frames=1)
        if headers.is_cut_off(stream):
            raise Refusal("its JPEG stream is cut off: its end is missing")


def _padding(stored: np.ndarray, file: Any) -> np.ndarray:
    """Returns which pixels of a grey image are padding."""
    limits = dicom_display.padding_limits(file)
    if limits is None:
        return np.zeros(stored.shape, bool)
    bits = integer(file, "BitsStored", 64)
    lowest = -(2 ** (bits - 1)) if integer(file, "PixelRepresentation", 0) else 0
    if "PixelData" in file and not lowest <= limits[0] <= limits[1] < lowest + 2**bits:
        # Padding beyond the stored bits is there only as long as the bits above them are.
        stored, _ = _stored(file, correct_unused_bits=False)
    return dicom_display.is_padding(stored, limits)
