"""Values of DICOM tags: an empty tag counts as absent, and what cannot be read is named."""

import math
from typing import Any

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
PALETTES = ("Red", "Green", "Blue")

# Tags that describe an image, and that may be kept beside its labels.
DESCRIPTIONS = (
    "PatientSex", "PatientAge", "ViewPosition", "Laterality", "ImageLaterality",
    "BodyPartExamined", "Modality", "Manufacturer", "ManufacturerModelName", "StudyInstanceUID",
    "SeriesInstanceUID",
)  # fmt: skip

# All other tags that are ever read of a file. None of either list names a person.
READ = [
    "SOPClassUID", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "NumberOfFrames",
    "PixelPresentation", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "PixelPaddingValue", "PixelPaddingRangeLimit",
    "FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit",
    "DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit",
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in PALETTES),
    *(f"{colour}PaletteColorLookupTableData" for colour in PALETTES),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in PALETTES),
    *PIXELS,
]  # fmt: skip


class Refusal(Exception):
    """A DICOM image that cannot be shown faithfully; the message says which tag is the reason."""


def value(dataset: Any, keyword: str) -> Any:
    """Returns the value of a tag, or None where the tag is absent or empty.

    Args:
      dataset: A pydicom dataset: a file, or an item of a sequence.
      keyword: Keyword of the tag.

    Raises:
      Refusal: The bytes of the tag are no value of its kind.
    """
    try:
        content = dataset.get(keyword)
        empty = content is None or (hasattr(content, "__len__") and len(content) == 0)
    except Exception as error:  # pydicom raises many kinds for damaged elements
        raise Refusal(f"its {keyword} cannot be read ({error})") from error
    return None if empty else content


def required(dataset: Any, keyword: str) -> Any:
    """Returns the value of a tag that every image must have.

    Raises:
      Refusal: The tag is absent, empty or unreadable.
    """
    content = value(dataset, keyword)
    if content is None:
        raise Refusal(f"it has no {keyword}")
    return content


def number(dataset: Any, keyword: str, *, nan: bool = False) -> float | None:
    """Returns the value of a tag that holds one number, or None where it is absent or empty.

    Args:
      dataset: A pydicom dataset.
      keyword: Keyword of the tag.
      nan: Whether NaN is a number, as in the padding value of floating-point pixels.

    Raises:
      Refusal: The tag holds several values, or one that is not a finite number.
    """
    content = value(dataset, keyword)
    if content is None:
        return None
    try:
        result = float(content)
    except (TypeError, ValueError) as error:
        raise Refusal(f"its {keyword} is {content!r}, which is not one number") from error
    if not (math.isfinite(result) or (nan and math.isnan(result))):
        raise Refusal(f"its {keyword} is {result}, which is not a finite number")
    return result


def integer(dataset: Any, keyword: str, default: int | None = None) -> int:
    """Returns the value of a tag that holds one whole number.

    Args:
      dataset: A pydicom dataset.
      keyword: Keyword of the tag.
      default: Value of an absent or empty tag; None makes the tag a required one.

    Raises:
      Refusal: The tag is required and missing, or is not one whole number.
    """
    result = number(dataset, keyword)
    if result is None and default is not None:
        return default
    if result is None:
        raise Refusal(f"it has no {keyword}")
    if result != int(result):
        raise Refusal(f"its {keyword} is {result}, which is not a whole number")
    return int(result)


def frame_group(file: Any, macro: str) -> Any:
    """Returns the dataset with the tags of the only frame, which enhanced objects keep in groups.

    Args:
      file: The dataset of a file with one frame.
      macro: Keyword of the sequence in which a functional group keeps the tags.

    Returns:
      The item of that sequence, for the frame or shared by all frames; `file` where neither exists.
    """
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        items = value(file, groups)
        inner = value(items[0], macro) if items else None
        if inner:
            return inner[0]
    return file
