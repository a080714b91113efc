"""DICOM images by pydicom (extra `dicom`): pixels and what is needed to show them; no tag that names a person is even read."""

import io
from typing import Any

import numpy as np

from transfer_jax.core.errors import DataError
from transfer_jax.data import originals

_TAGS = [
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "NumberOfFrames", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "VOILUTSequence", "ModalityLUTSequence", "PixelData",
]  # fmt: skip


def decode(data: bytes, where: str) -> np.ndarray:
    """The pixels of a DICOM file as a viewer would show them: uint8 [h, w] or [h, w, 3].

    Modality LUT (or slope and intercept), then the first window (or VOI LUT); without one from darkest to brightest;
    MONOCHROME1, where the lowest value is white, is turned over.

    Raises:
      DataError: pydicom is not installed, or the file is damaged, compressed in a way that no installed decoder reads, has several
        frames, or is too large.
    """
    try:
        import pydicom
        from pydicom import pixels
    except ImportError as error:
        raise DataError(f"{where} is a DICOM image: install its reader with: python -m pip install -e '.[dicom]'") from error
    try:
        file = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=_TAGS)
        originals.check_pixels(int(file.Rows), int(file.Columns), where)
        if int(getattr(file, "NumberOfFrames", 1) or 1) > 1:
            raise DataError(f"{where} holds {file.NumberOfFrames} frames: only single images are read")
        return _shown(file, pixels)
    except DataError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged files
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise DataError(f"{where} is not a readable DICOM image ({reason})") from error


def _shown(file: Any, pixels: Any) -> np.ndarray:
    values = file.pixel_array
    if int(file.SamplesPerPixel) == 3:
        rgb = values if file.PhotometricInterpretation == "RGB" else pixels.convert_color_space(values, file.PhotometricInterpretation, "RGB")
        return originals.to_8_bit(rgb, stretch=False)
    values = pixels.apply_modality_lut(values, file)
    if "WindowWidth" in file or "VOILUTSequence" in file:
        values = np.asarray(pixels.apply_voi_lut(values, file), np.float64)
        low, high = _range(file, values)
    else:
        values = np.asarray(values, np.float64)
        low, high = values.min(), values.max()
    shown = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    if file.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    return np.round(255 * shown).astype(np.uint8)


def _range(file: Any, values: np.ndarray) -> tuple[float, float]:
    """What black and white are after windowing: the range that pydicom maps a window to, or the table's own."""
    if "VOILUTSequence" in file:
        return float(values.min()), float(values.max())
    if "ModalityLUTSequence" in file:
        return 0.0, float(2 ** int(file.ModalityLUTSequence[0].LUTDescriptor[2]) - 1)
    slope, intercept = float(getattr(file, "RescaleSlope", 1) or 1), float(getattr(file, "RescaleIntercept", 0) or 0)
    bits = int(file.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if int(file.PixelRepresentation) else (0, 2**bits - 1)
    return low * slope + intercept, high * slope + intercept
