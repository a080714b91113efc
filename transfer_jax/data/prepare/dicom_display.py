"""From stored values of a DICOM image to what a viewer shows: grey levels or colours of 8 bits.

pydicom is imported in functions because it is optional, see `dicom_files`.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from transfer_jax.data.prepare import dicom_tables
from transfer_jax.data.prepare.dicom_tags import (
    PIXELS,
    Refusal,
    frame_group,
    integer,
    number,
    value,
)

_WINDOW_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def grey(
    stored: np.ndarray,
    file: Any,
    padding: Bool[np.ndarray, "h w"],
    *,
    little_endian: bool,
) -> UInt8[np.ndarray, "h w"]:
    """Returns the grey levels of a MONOCHROME1 or MONOCHROME2 image.

    The modality LUT or rescale slope and intercept come first, then the VOI LUT, the first window
    or, where there is neither, the range from the darkest to the brightest value that is not
    padding. In a MONOCHROME1 image the lowest value is white. Padding is black.

    Args:
      stored: Stored values, [h, w], whole or floating-point numbers.
      file: The dataset of the file.
      padding: Which pixels are padding.
      little_endian: Byte order of the file.

    Raises:
      Refusal: A tag has a value with which the image cannot be shown, or a pixel is NaN or
        infinite.
    """
    if not np.isfinite(stored[~padding]).all():
        raise Refusal("it has pixels that are NaN or infinite")
    if padding.all():
        return np.zeros(stored.shape, np.uint8)
    # An ordinary value stands in for padding, which then neither widens a range nor is NaN.
    filled = np.where(padding, stored[~padding][0], stored)
    values = _rescaled(filled, file, little_endian)
    shown = _windowed(values, file, little_endian)
    if value(file, "PhotometricInterpretation") == "MONOCHROME1":
        shown = 255 - shown
    return np.where(padding, 0, np.round(shown)).astype(np.uint8)


def colour(samples: np.ndarray, file: Any) -> UInt8[np.ndarray, "h w 3"]:
    """Returns RGB samples of any depth as 8 bits: the range of the stored bits becomes 0-255.

    Args:
      samples: Red, green and blue, [h, w, 3], whole numbers.
      file: The dataset of the file.

    Raises:
      Refusal: The samples are signed, or exceed the stored bits.
    """
    if integer(file, "PixelRepresentation") != 0:
        raise Refusal("its PixelRepresentation is 1: colours cannot be negative")
    highest = 2 ** integer(file, "BitsStored") - 1
    if samples.max() > highest:
        raise Refusal(f"its samples reach {samples.max()}, its BitsStored allow {highest}")
    if highest == 255:
        return samples.astype(np.uint8)
    return np.round(samples * (255 / highest)).astype(np.uint8)


def padding_limits(file: Any) -> tuple[float, float] | None:
    """Returns the lowest and highest stored value that mean "no pixel here", or None.

    Args:
      file: The dataset of a file whose pixels are whole or floating-point numbers.

    Raises:
      Refusal: The tags of the padding are not numbers.
    """
    kind = next(keyword for keyword in PIXELS if keyword in file).removesuffix("PixelData")
    first = number(file, f"{kind}PixelPaddingValue", nan=bool(kind))
    last = number(file, f"{kind}PixelPaddingRangeLimit", nan=bool(kind))
    if first is None:
        return None
    bounds = [first, first if last is None else last]
    if not kind:
        # The tags have 16 bits and may have been written with the wrong sign.
        low = -32768 if integer(file, "PixelRepresentation") else 0
        bounds = [(bound - low) % 65536 + low for bound in bounds]
    return min(bounds), max(bounds)


def is_padding(stored: np.ndarray, limits: tuple[float, float]) -> Bool[np.ndarray, "h w"]:
    """Returns which stored values are padding; a NaN limit means NaN pixels."""
    if math.isnan(limits[0]):
        return np.isnan(stored)
    return (stored >= limits[0]) & (stored <= limits[1])


def _rescaled(stored: np.ndarray, file: Any, little_endian: bool) -> np.ndarray:
    """Returns stored values as the values that windows refer to."""
    from pydicom import pixels
    from pydicom.dataset import Dataset

    tables = value(file, "ModalityLUTSequence")
    if tables:
        signed = integer(file, "PixelRepresentation", 0) == 1
        table = dicom_tables.table(tables[0], signed=signed, little_endian=little_endian)
        return table(stored)
    group = frame_group(file, "PixelValueTransformationSequence")
    slope, intercept = number(group, "RescaleSlope"), number(group, "RescaleIntercept")
    if slope is None or intercept is None:
        return stored
    if slope == 0:
        raise Refusal("its RescaleSlope is 0, which makes all pixels equal")
    view = Dataset()
    view.add(group["RescaleSlope"])
    view.add(group["RescaleIntercept"])
    return pixels.apply_modality_lut(stored, view)


def _windowed(values: np.ndarray, file: Any, little_endian: bool) -> np.ndarray:
    """Returns rescaled values as 0-255, not yet rounded."""
    from pydicom import pixels
    from pydicom.dataset import Dataset

    group = frame_group(file, "FrameVOILUTSequence")
    tables = value(group, "VOILUTSequence")
    if tables and value(tables[0], "LUTData") is not None:
        signed = bool(values.min() < 0)
        table = dicom_tables.table(tables[0], signed=signed, little_endian=little_endian)
        return table(values) * (255 / (2**table.bits - 1))
    first = _first_window(group)
    if first is None:
        values = values.astype(np.float64)
        low, high = values.min(), values.max()
        return (values - low) * (255 / (high - low) if high > low else 0.0)
    function = str(value(group, "VOILUTFunction") or "LINEAR").upper()
    if function not in _WINDOW_FUNCTIONS:
        possible = ", ".join(_WINDOW_FUNCTIONS)
        raise Refusal(f"its VOILUTFunction is {function!r}, possible are {possible}")
    width = float(_listed(value(group, "WindowWidth"))[first])
    if width < 1 and (function == "LINEAR" or width <= 0):
        least = "at least 1" if function == "LINEAR" else "more than 0"
        raise Refusal(f"its WindowWidth is {width}: {function} needs {least}")
    # pydicom's output has the range of the stored values, turned over by a negative slope: here
    # 8 unsigned bits make it 0-255.
    view = Dataset()
    view.PhotometricInterpretation, view.BitsStored, view.PixelRepresentation = "MONOCHROME2", 8, 0
    view.VOILUTFunction = function
    view.add(group["WindowCenter"])
    view.add(group["WindowWidth"])
    with np.errstate(over="ignore"):  # far below a sigmoid's centre: 1 / infinity is 0
        return pixels.apply_windowing(values, view, first)


def _first_window(group: Any) -> int | None:
    """Returns the index of the first window with a centre and a width; None without one."""
    centres = _listed(value(group, "WindowCenter"))
    widths = _listed(value(group, "WindowWidth"))
    for i, pair in enumerate(zip(centres, widths, strict=False)):
        if all(part not in (None, "") for part in pair):
            if not all(math.isfinite(float(part)) for part in pair):
                window = f"{pair[0]} and {pair[1]}"
                raise Refusal(f"its WindowCenter and WindowWidth are {window}: not finite numbers")
            return i
    return None


def _listed(content: Any) -> list[Any]:
    if content is None:
        return []
    several = hasattr(content, "__iter__") and not isinstance(content, str)
    return list(content) if several else [content]
