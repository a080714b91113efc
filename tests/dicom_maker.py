"""Small DICOM files for tests."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from transfer_jax.data.prepare import originals

ANGIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"
RAMP = (np.arange(40 * 60) % 4000).reshape(40, 60)
DEEP = (RAMP * 16 + 100).astype(np.uint16)


FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"  # pydicom's own, in its wheel
PLAIN = ExplicitVRLittleEndian


def write(path, pixels, photometric="MONOCHROME2", *, syntax=PLAIN, leave_out=(), **tags):
    """Writes an image: an array, or a compressed stream beside `Rows` and `Columns`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ANGIOGRAPHY, generate_uid()
    meta.TransferSyntaxUID = syntax
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.set_original_encoding(syntax.is_implicit_VR, syntax.is_little_endian)
    file.SOPClassUID = ANGIOGRAPHY
    file.PatientName, file.PatientID = "Nobody^Jane", "12345"
    file.PhotometricInterpretation = photometric
    if isinstance(pixels, bytes):
        file.PixelRepresentation, file.BitsAllocated = 0, 8
        file.PixelData = encapsulate([pixels])
        file["PixelData"].is_undefined_length = True
    else:
        file.Rows, file.Columns = pixels.shape[:2]
        file.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 else 1
        if pixels.ndim == 3:
            file.PlanarConfiguration = 0
        file.BitsAllocated = 8 * pixels.dtype.itemsize
        if pixels.dtype.kind == "f":
            keyword = "FloatPixelData" if pixels.itemsize == 4 else "DoubleFloatPixelData"
            setattr(file, keyword, pixels.tobytes())
        else:
            file.PixelRepresentation = int(pixels.dtype.kind == "i")
            order = "<" if syntax.is_little_endian else ">"
            content = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
            file.PixelData = content + b"\0" * (len(content) % 2)
            file["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    file.BitsStored = tags.pop("BitsStored", file.BitsAllocated)
    file.HighBit = (file.BitsStored or file.BitsAllocated) - 1
    for name, value in tags.items():
        setattr(file, name, value)
    for name in leave_out:
        delattr(file, name)
    file.save_as(path, enforce_file_format=True)
    return path


def item(**tags):
    """One item of a sequence."""
    dataset = Dataset()
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def lookup_table(entries, first, bits, vr="US"):
    """An item of a ModalityLUTSequence or VOILUTSequence."""
    table = item(LUTDescriptor=[len(entries) % 65536, first % 65536, bits])
    table["LUTDescriptor"].VR = "US"
    table.LUTData = list(map(int, entries)) if vr == "US" else np.asarray(entries, "<u2").tobytes()
    table["LUTData"].VR = vr
    return table


def palette(red, green, blue, first, bits, depth=16, byte_order="<"):
    """The tags of three palettes; `depth` bits are stored per entry."""
    tags = {}
    for colour, entries in zip(("Red", "Green", "Blue"), (red, green, blue), strict=True):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [len(entries) % 65536, first, bits]
        words = np.asarray(entries, f"{byte_order}u2" if depth == 16 else "u1")
        data = words.tobytes()
        tags[f"{colour}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    return tags


def grey(path):
    """What the product shows of a file, one channel."""
    return originals.load(path, 1)[..., 0]


def stretched(values):
    """Values from the darkest to the brightest as 0-255, not rounded."""
    values = np.asarray(values, float)
    return (values - values.min()) * (255 / (values.max() - values.min()))
