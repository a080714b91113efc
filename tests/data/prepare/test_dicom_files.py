"""Every file among pydicom's own test files equals an independent rendering, or is refused."""

import re
import warnings

import cv2
import numpy as np
import pydicom
import pytest
from dicom_maker import FOLDER
from pydicom import pixels
from pydicom.encaps import get_frame

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import originals

NAMES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*")
    if path.is_file() and (path.suffix == ".dcm" or path.read_bytes()[128:132] == b"DICM")
)

# Pattern of a name -> pattern of the reason.
REFUSED = {
    r"SC_rgb_rle_(16bit_|32bit_)?2frame.dcm": r"holds 2 frames: only single images are read",
    r"rtdose(_expb|_rle)?.dcm": r"holds 15 frames",
    r"examples_ybr_color.dcm": r"holds 30 frames",
    r"badVR.dcm": r"NumberOfFrames is '1A', which is not one number",
    r"JPEG-lossy.dcm": r"A misplaced marker segment was found",
    r"JPEG2000-embedded-sequence-delimiter.dcm": r"failed to read the header",
    r"MR_truncated.dcm": r"bytes of pixel data is less than expected \(8130 vs 8192 bytes\)",
    r"(meta_missing_tsyntax|nested_priv_SQ).dcm": r"it has no Rows",
    r"dicomdirtests/(TINY_ALPHA/)?DICOMDIR.*": (
        r"no pixels \(it is Media Storage Directory Storage\)"
    ),
    r"dicomdirtests/TINY_ALPHA/PT000000/.*": r"holds no pixels \(it is CT Image Storage\)",
    r"ExplVR_(Big|Lit)EndNoMeta.dcm": r"holds no pixels \(it is RT Ion Plan Storage\)",
    r"UN_sequence.dcm": r"holds no pixels \(it is CT Image Storage\)",
    r"priv_SQ.dcm": r"holds no pixels \(it is MR Image Storage\)",
    r"no_meta_group_length.dcm": r"holds no pixels \(it is RT Image Storage\)",
    r"(no_meta|empty_charset_LEI).dcm": r"holds no pixels \(it is of no known kind\)",
    r"reportsi(_with_empty_number_tags)?.dcm": r"holds no pixels \(it is Basic Text SR Storage\)",
    r"test-SR.dcm": r"holds no pixels \(it is Comprehensive SR Storage\)",
    r"rtplan(_truncated)?.dcm": r"holds no pixels \(it is RT Plan Storage\)",
    r"rtstruct.dcm": r"holds no pixels \(it is RT Structure Set Storage\)",
    r"waveform_ecg.dcm": r"holds no pixels \(it is 12-lead ECG Waveform Storage\)",
}  # fmt: skip

# Streams of RGB that do not say so: only the file around them does, and OpenCV assumes YCbCr.
SILENT_ABOUT_COLOUR = ("SC_jpeg_no_color_transform.dcm", "SC_rgb_jpeg.dcm")


def reason(name):
    return next((why for pattern, why in REFUSED.items() if re.fullmatch(pattern, name)), None)


SHOWN = [name for name in NAMES if reason(name) is None]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():  # pydicom warns of what is odd in its own test files
        warnings.simplefilter("ignore")
        yield


def rendered(path):
    """The image by pydicom's functions, in floats 0-255."""
    file = pydicom.dcmread(path)
    stored = pixels.pixel_array(file)
    if file.SamplesPerPixel == 3:
        return stored * (255 / (2**file.BitsStored - 1))
    if file.PhotometricInterpretation == "PALETTE COLOR":
        return pixels.apply_color_lut(stored, file) / 257
    values = pixels.apply_modality_lut(stored, file).astype(float)
    if file.get("WindowCenter") is None:
        inside = stored != file.get("PixelPaddingValue", 2**40)
        low, high = values[inside].min(), values[inside].max()
    else:
        inside = np.ones(stored.shape, bool)
        lowest = -(2 ** (file.BitsStored - 1)) if file.PixelRepresentation else 0
        ends = np.array([lowest, lowest + 2**file.BitsStored - 1]) * file.get("RescaleSlope", 1)
        low, high = ends + file.get("RescaleIntercept", 0)
        values = pixels.apply_windowing(values, file)
        inside = stored != file.get("PixelPaddingValue", 2**40)
    grey = 255 * (values - low) / (high - low)
    if file.PhotometricInterpretation == "MONOCHROME1":
        grey = 255 - grey
    return np.where(inside, grey, 0)


def test_the_table_covers_all_files():
    assert len(NAMES) > 140 and len(SHOWN) > 80
    assert all(any(re.fullmatch(pattern, name) for name in NAMES) for pattern in REFUSED)


@pytest.mark.parametrize("name", SHOWN)
def test_a_file_is_shown_as_pydicom_shows_it(name):
    expected = rendered(FOLDER / name)
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, 2)
    np.testing.assert_allclose(originals.load(FOLDER / name, 3), expected, atol=0.51)


def test_the_others_are_refused_with_a_reason():
    for name in set(NAMES) - set(SHOWN):
        with pytest.raises(DataError, match=reason(name)) as refusal:
            originals.load(FOLDER / name, 1)
        assert str(FOLDER / name) in str(refusal.value)


def test_compressed_colours_are_those_that_opencv_decodes_from_the_same_stream():
    compared = 0
    for name in SHOWN:
        file = pydicom.dcmread(FOLDER / name)
        if not file.file_meta.TransferSyntaxUID.is_encapsulated or file.SamplesPerPixel != 3:
            continue
        stream = get_frame(file.PixelData, 0, number_of_frames=1)
        decoded = cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_COLOR_RGB)
        if decoded is None or name in SILENT_ABOUT_COLOUR:  # RLE and JPEG-LS are not for OpenCV
            continue
        difference = np.abs(originals.load(FOLDER / name, 3).astype(int) - decoded)
        assert difference.max() <= 2, name
        compared += 1
    assert compared >= 14
