"""Look-up tables of DICOM images: modality and VOI tables of grey images, and palettes.

pydicom is imported in functions because it is optional, see `dicom_files`.
"""

from typing import Any, NamedTuple

import numpy as np

from transfer_jax.data.prepare.dicom_tags import PALETTES, Refusal, integer, required, value


class Table(NamedTuple):
    """A look-up table from values to values.

    Attributes:
      first: The value that the first entry belongs to; lower values have that entry, too.
      entries: The entries, int64 [n]; values beyond the last one have the last entry.
      bits: Number of bits per entry: 2**bits - 1 is the largest possible entry.
    """

    first: int
    entries: np.ndarray
    bits: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Looks up values of any type; fractions are rounded down, as pydicom does."""
        # pydicom's apply_voi does this in the type of the entries, so that positions beyond 255
        # wrap around in a table of 8 bits, and apply_modality_lut in the type of the pixels, where
        # differences overflow.
        positions = np.floor(values).astype(np.int64) - self.first
        return self.entries[np.clip(positions, 0, len(self.entries) - 1)]


def table(item: Any, *, signed: bool, little_endian: bool) -> Table:
    """Returns the table in an item of ModalityLUTSequence or VOILUTSequence.

    Args:
      item: The item: a pydicom dataset with LUTDescriptor and LUTData.
      signed: Whether the values to look up may be negative.
      little_endian: Byte order of the file.

    Raises:
      Refusal: Descriptor or data are missing or contradict each other.
    """
    count, first, bits = _descriptor(item, "LUTDescriptor", signed)
    if not 8 <= bits <= 16:
        raise Refusal(f"its LUTDescriptor says {bits} bits per entry, possible are 8 to 16")
    data = required(item, "LUTData")
    if isinstance(data, bytes):
        entries = _entries(data, count, little_endian, "LUTData")
    else:
        entries = np.atleast_1d(np.asarray(data, np.int64))
    _check_entries(entries, count, bits, "LUTData")
    return Table(first, entries[:count], bits)


def palette_colours(stored: np.ndarray, file: Any, *, little_endian: bool) -> np.ndarray:
    """Returns the colours that a PALETTE COLOR image's indices stand for.

    Args:
      stored: Indices, [h, w], any whole type.
      file: The dataset of the file, with the descriptors and data of three palettes.
      little_endian: Byte order of the file.

    Returns:
      Colours, uint8 [h, w, 3].

    Raises:
      Refusal: A palette is missing, or its descriptor and data contradict each other.
    """
    from pydicom import pixels
    from pydicom.dataset import Dataset

    signed = integer(file, "PixelRepresentation") == 1
    keywords = [f"{colour}PaletteColorLookupTableDescriptor" for colour in PALETTES]
    descriptors = [_descriptor(file, keyword, signed) for keyword in keywords]
    count, first, bits = descriptors[0]
    if len(set(descriptors)) > 1 or bits not in (8, 16):
        shown = ", ".join(map(str, descriptors))
        raise Refusal(f"its palettes have the descriptors {shown}: must be equal, of 8 or 16 bits")
    segmented = value(file, "RedPaletteColorLookupTableData") is None
    segmented &= value(file, "SegmentedRedPaletteColorLookupTableData") is not None
    if segmented and bits == 8 and count > 256:
        raise Refusal(f"its segmented palettes have {count} entries of 8 bits: pydicom expands 256")
    view = Dataset()
    view.set_original_encoding(False, little_endian)
    for colour in PALETTES:
        if segmented:
            keyword, depth = f"Segmented{colour}PaletteColorLookupTableData", bits
            setattr(view, keyword, required(file, keyword))
        else:
            # Always 16 bits per entry, in the byte order of this machine: pydicom would take 8-bit
            # entries in 16-bit words for almost black, and would not swap the bytes of a
            # big-endian file.
            keyword, depth = f"{colour}PaletteColorLookupTableData", 16
            entries = _entries(required(file, keyword), count, little_endian, keyword)
            _check_entries(entries, count, bits, keyword)
            scaled = entries[:count] * (257 if bits == 8 else 1)
            setattr(view, keyword, scaled.astype(np.uint16).tobytes())
        descriptor = [count % 65536, first, depth]
        setattr(view, f"{colour}PaletteColorLookupTableDescriptor", descriptor)
    indices = np.clip(stored.astype(np.int64), first, first + count - 1)
    colours = pixels.apply_color_lut(indices, view)
    return np.round(colours * (255 / (2**depth - 1))).astype(np.uint8)


def _descriptor(item: Any, keyword: str, signed: bool) -> tuple[int, int, int]:
    """Returns number of entries, first value and bits per entry."""
    descriptor = required(item, keyword)
    try:
        count, first, bits = (int(part) for part in descriptor)
    except (TypeError, ValueError) as error:
        raise Refusal(f"its {keyword} is {descriptor}, not three whole numbers") from error
    # The three share one type, so that each may have been read with the wrong sign. A count of 0
    # stands for 65536.
    first = (first + 32768) % 65536 - 32768 if signed else first % 65536
    return count % 65536 or 65536, first, bits % 65536


def _entries(data: bytes, count: int, little_endian: bool, keyword: str) -> np.ndarray:
    """Returns entries of 16 bits or, where the data are half as long, of 8 bits."""
    if len(data) % 2 or not data:
        raise Refusal(f"its {keyword} has {len(data)} bytes, not an even number of them")
    words = np.frombuffer(data, "<u2" if little_endian else ">u2")
    if len(data) in (count, count + 1) and count > 1:
        return words.astype("<u2").view(np.uint8).astype(np.int64)[:count]
    return words.astype(np.int64)


def _check_entries(entries: np.ndarray, count: int, bits: int, keyword: str) -> None:
    if len(entries) < count or entries[:count].max() >= 2**bits:
        content = f"{len(entries)} entries up to {entries.max()}"
        raise Refusal(f"its {keyword} has {content}, its descriptor says {count} of {bits} bits")
