"""DICOM images as pydicom and a viewer show them (extra `dicom`): the file, its pixels, and why it cannot be shown."""

import io
from typing import Any

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data import dicom_display, dicom_tables, headers, originals
from transfer_jax.data.dicom_tags import PIXELS, READ, Refusal, integer, required, value

_GREY = ("MONOCHROME1", "MONOCHROME2")
_PALETTE = "PALETTE COLOR"
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_INSTALL = "python -m pip install -e '.[dicom]'"


def decode(data: bytes, where: str) -> np.ndarray:
    """Returns the pixels of a DICOM file as a viewer would show them: uint8 [h, w] or [h, w, 3], RGB order.

    Grey images follow `dicom_display.grey`. Palettes are looked up, luminance and chrominance are converted to RGB.
    Overlays, colour profiles and presentation states are ignored. No tag that names a person is read.

    Args:
      data: Contents of the file.
      where: Name of the file, for errors.

    Raises:
      DataError: pydicom is not installed, or the file is damaged, is compressed in a way that no installed decoder
        reads, has no pixels or several frames, is too large, or has a tag whose value is unknown or impossible.
    """
    try:
        import pydicom
    except ImportError as error:
        raise DataError(f"{where} is a DICOM image: install its reader with: {_INSTALL}") from error
    try:
        file = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=READ)
        _check_pixels(file)
        originals.check_pixels(integer(file, "Rows"), integer(file, "Columns"), where)
        return _shown(file)
    except Refusal as error:
        raise DataError(f"{where} is not a readable DICOM image: {error}") from error
    except DataError:
        raise
    except Exception as error:  # pydicom and its decoders raise many kinds for damaged files
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{where} is not a readable DICOM image ({reason})") from error


def _check_pixels(file: Any) -> None:
    """Refuses files without the pixels of exactly one image."""
    if not any(keyword in file for keyword in PIXELS):
        kind = value(file, "SOPClassUID") or value(file.file_meta, "MediaStorageSOPClassUID")
        raise Refusal(f"it holds no pixels (it is {'of no known kind' if kind is None else kind.name})")
    frames = integer(file, "NumberOfFrames", 1)
    if frames > 1:
        raise Refusal(f"it holds {frames} frames: only single images are read")


def _shown(file: Any) -> np.ndarray:
    interpretation = str(required(file, "PhotometricInterpretation"))
    known = (*_GREY, _PALETTE, *_COLOUR)
    if interpretation not in known:
        raise Refusal(f"its PhotometricInterpretation is {interpretation!r}, shown are {', '.join(known)}")
    samples = integer(file, "SamplesPerPixel")
    if samples != (3 if interpretation in _COLOUR else 1):
        raise Refusal(f"its SamplesPerPixel is {samples}, which does not go with {interpretation}")
    presentation = value(file, "PixelPresentation")
    if presentation in ("COLOR", "MIXED") and interpretation not in _COLOUR:
        raise Refusal(f"its PixelPresentation is {presentation}: colours of a supplemental palette are not shown")
    _complete_meta(file)
    stored, decoded_as = _stored(file)
    if interpretation in _COLOUR:
        if decoded_as != "RGB":
            syntax = file.file_meta.TransferSyntaxUID.name
            raise Refusal(f"its colours are {decoded_as} in {syntax}, which pydicom does not convert to RGB")
        return dicom_display.colour(stored, file)
    little_endian = bool(file.file_meta.TransferSyntaxUID.is_little_endian)
    if interpretation == _PALETTE:
        return dicom_tables.palette_colours(stored, file, little_endian=little_endian)
    return dicom_display.grey(stored, file, _padding(stored, file), little_endian=little_endian)


def _complete_meta(file: Any) -> None:
    """Adds the transfer syntax where a file has none: uncompressed pixels are encoded as the rest of the file is."""
    from pydicom import uid

    if value(file.file_meta, "TransferSyntaxUID") is not None:
        return
    keyword = next(keyword for keyword in PIXELS if keyword in file)
    if file[keyword].is_undefined_length:
        raise Refusal("it has no TransferSyntaxUID, which would say how its pixels are compressed")
    implicit, little_endian = file.original_encoding
    explicit = uid.ExplicitVRLittleEndian if little_endian else uid.ExplicitVRBigEndian
    file.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit


def _stored(file: Any, **options: bool) -> tuple[np.ndarray, str]:
    """Decoded values, [h, w] or [h, w, 3], and the photometric interpretation that they are decoded to."""
    from pydicom import encaps, pixels, uid

    syntax = file.file_meta.TransferSyntaxUID
    try:
        decoder = pixels.get_decoder(syntax)
    except NotImplementedError as error:
        raise Refusal(f"its pixels are stored as {syntax.name} ({syntax}), which pydicom does not decode") from error
    missing = [line.partition(" requires ")[2] for line in decoder.missing_dependencies if line.startswith("pylibjpeg")]
    install = f"{_INSTALL} (it brings {' and '.join(missing)})" if missing else ""
    if not decoder.is_available:
        raise Refusal(f"its pixels are stored as {syntax.name}, for which no decoder is installed: {install}")
    if syntax in (*uid.JPEGTransferSyntaxes, *uid.JPEGLSTransferSyntaxes):
        frame = encaps.get_frame(file.PixelData, 0, number_of_frames=1)
        if headers.is_cut_off(frame):  # libjpeg fills up what is missing
            raise Refusal("its JPEG stream is cut off: its end is missing")
    try:
        stored, properties = decoder.as_array(file, **options)
    except Exception as error:
        if not missing:
            raise
        tried = ", ".join(decoder.available_plugins)
        reason = " ".join(str(error).split())
        raise Refusal(f"its {syntax.name} pixels need another decoder than {tried}: {install} ({reason})") from error
    if stored.ndim != (3 if integer(file, "SamplesPerPixel") == 3 else 2):
        raise Refusal(f"its pixels are {len(stored)} frames, though NumberOfFrames does not say so: only single images are read")
    return stored, str(properties["photometric_interpretation"])


def _padding(stored: np.ndarray, file: Any) -> np.ndarray:
    """Which pixels of a grey image are padding."""
    limits = dicom_display.padding_limits(file)
    if limits is None:
        return np.zeros(stored.shape, bool)
    bits = integer(file, "BitsStored", 64)
    lowest = -(2 ** (bits - 1)) if integer(file, "PixelRepresentation", 0) else 0
    if "PixelData" in file and not lowest <= limits[0] <= limits[1] < lowest + 2**bits:
        # Padding beyond the stored bits is there only as long as the bits above them are.
        stored, _ = _stored(file, correct_unused_bits=False)
    return dicom_display.is_padding(stored, limits)
