"""DICOM files: colours, and what is refused."""

import cv2
import numpy as np
import pydicom
import pytest
from dicom_maker import DEEP, RAMP, grey, item, stretched, write
from pydicom import pixels, uid

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import originals

RNG = np.random.default_rng(0)
COLOUR = cv2.GaussianBlur(RNG.integers(0, 256, (40, 60, 3), np.uint8), (0, 0), 2)


def refused(path, reason):
    with pytest.raises(DataError, match=reason) as refusal:
        originals.load(path, 1)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_rgb_and_its_planes(tmp_path):
    path = write(tmp_path / "noname", COLOUR, "RGB")
    np.testing.assert_array_equal(originals.load(path, 3), COLOUR)
    planes = write(
        tmp_path / "b.dcm",
        COLOUR,
        "RGB",
        PlanarConfiguration=1,
        PixelData=COLOUR.transpose(2, 0, 1).tobytes(),
    )
    np.testing.assert_array_equal(originals.load(planes, 3), COLOUR)
    np.testing.assert_allclose(grey(path), COLOUR @ [0.299, 0.587, 0.114], atol=1)


@pytest.mark.parametrize("bits", [12, 16])
def test_deep_colours_keep_the_range_of_their_stored_bits(tmp_path, bits):
    deep = COLOUR.astype(np.uint16) * (2**bits // 256)
    path = write(tmp_path / "a.dcm", deep, "RGB", BitsStored=bits)
    np.testing.assert_allclose(originals.load(path, 3), deep * (255 / (2**bits - 1)), atol=0.5)


def test_luminance_and_chrominance_are_converted_once(tmp_path):
    luminance = pixels.convert_color_space(COLOUR, "RGB", "YBR_FULL")
    full = originals.load(write(tmp_path / "a.dcm", luminance, "YBR_FULL"), 3)
    assert np.abs(full.astype(int) - COLOUR).max() <= 2
    pairs = luminance.reshape(40, 30, 2, 3)
    uniform = np.repeat(pairs[:, :, :1, 1:], 2, axis=2)
    expected = np.concatenate([pairs[..., :1], uniform], axis=3).reshape(40, 60, 3)
    # Y1 Y2 Cb Cr
    ordered = np.concatenate([pairs[:, :, 0, :1], pairs[:, :, 1, :1], pairs[:, :, 0, 1:]], axis=2)
    path = write(tmp_path / "b.dcm", luminance, "YBR_FULL_422", PixelData=ordered.tobytes())
    expected = pixels.convert_color_space(expected, "YBR_FULL", "RGB")
    np.testing.assert_array_equal(originals.load(path, 3), expected)


@pytest.mark.parametrize(
    ("suffix", "syntax", "photometric"),
    [
        (".jpg", uid.JPEGBaseline8Bit, "YBR_FULL_422"),
        (".jp2", uid.JPEG2000, "YBR_ICT"),
    ],
)
def test_compressed_colours_are_converted_once(tmp_path, suffix, syntax, photometric):
    done, stream = cv2.imencode(suffix, COLOUR[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    shape = {"Rows": 40, "Columns": 60, "SamplesPerPixel": 3, "PlanarConfiguration": 0}
    path = write(tmp_path / "a.dcm", stream.tobytes(), photometric, syntax=syntax, **shape)
    decoded = cv2.imdecode(stream, cv2.IMREAD_COLOR_RGB)
    assert np.abs(originals.load(path, 3).astype(int) - decoded).max() <= 3


OTHERS = ["HSV", "ARGB", "CMYK", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "rgb", "XYZ"]


@pytest.mark.parametrize("photometric", OTHERS)
def test_other_interpretations_are_refused_by_name(tmp_path, photometric):
    refused(
        write(tmp_path / "a.dcm", COLOUR, photometric),
        f"PhotometricInterpretation is '{photometric}', shown are MONOCHROME1",
    )


@pytest.mark.parametrize(
    ("array", "photometric", "tags", "reason"),
    [
        (
            COLOUR,
            "YBR_RCT",
            {},
            "colours are YBR_RCT in Explicit VR Little Endian, which pydicom does not convert",
        ),
        (COLOUR, "MONOCHROME2", {}, "SamplesPerPixel is 3, which does not go with MONOCHROME2"),
        (DEEP, "RGB", {}, "SamplesPerPixel is 1, which does not go with RGB"),
        (
            COLOUR,
            "RGB",
            {"PixelRepresentation": 1},
            "PixelRepresentation is 1: colours cannot be negative",
        ),
        (COLOUR, "RGB", {"PlanarConfiguration": 2}, "Planar Configuration.* '2' is invalid"),
        (COLOUR.astype(np.uint16), "YBR_FULL", {}, "uint16"),
        (DEEP, "MONOCHROME2", {"BitsStored": 17}, "Bits Stored.* '17' is invalid"),
        (DEEP, "MONOCHROME2", {"NumberOfFrames": 3}, "holds 3 frames"),
        (
            DEEP,
            "MONOCHROME2",
            {"Rows": 20},
            "its pixels are 2 frames, though NumberOfFrames does not say so",
        ),
        (DEEP, "MONOCHROME2", {"Rows": 41}, "less than expected"),
        (DEEP, "MONOCHROME2", {"Rows": 20_000, "Columns": 20_000}, "more than 100,000,000"),
        (DEEP, "MONOCHROME2", {"PixelPresentation": "COLOR"}, "PixelPresentation is COLOR"),
    ],
)
def test_contradictions_are_refused_by_name(tmp_path, array, photometric, tags, reason):
    refused(write(tmp_path / "a.dcm", array, photometric, **tags), reason)


@pytest.mark.parametrize(
    "keyword",
    ["PhotometricInterpretation", "PixelRepresentation", "Rows", "BitsStored", "SamplesPerPixel"],
)
def test_missing_and_empty_tags_are_refused_by_name(tmp_path, keyword):
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in keyword).strip()
    reason = f"it has no {keyword}|Missing required element: .* '{words}'"
    refused(write(tmp_path / "a.dcm", DEEP, leave_out=[keyword]), reason)
    refused(write(tmp_path / "b.dcm", DEEP, **{keyword: None}), reason)


@pytest.mark.parametrize("frames", [None, 0, 1])
def test_one_frame(tmp_path, frames):
    path = write(tmp_path / "a.dcm", DEEP, NumberOfFrames=frames)
    np.testing.assert_allclose(grey(path), stretched(DEEP), atol=1)


def test_files_without_pixels_say_what_they_are(tmp_path):
    report = "1.2.840.10008.5.1.4.1.1.88.11"
    path = write(tmp_path / "a.dcm", DEEP, SOPClassUID=report, leave_out=["PixelData"])
    refused(path, r"holds no pixels \(it is Basic Text SR Storage\)")
    (tmp_path / "c.dcm").write_bytes(b"nothing")
    refused(tmp_path / "c.dcm", "not a readable DICOM image")
    (tmp_path / "d.dcm").write_bytes(b"")
    refused(tmp_path / "d.dcm", "not a readable DICOM image")


def test_overlays_and_unused_bits_are_ignored(tmp_path):
    twelve = (RAMP % 4096).astype(np.uint16)
    path = write(tmp_path / "a.dcm", twelve | 0x8000, BitsStored=12)
    file = pydicom.dcmread(path)
    file.add_new(0x60000010, "US", 40)
    file.add_new(0x60000011, "US", 60)
    file.add_new(0x60003000, "OW", b"\xff" * 300)
    file.save_as(path)
    np.testing.assert_allclose(grey(path), stretched(twelve), atol=0.51)
    signed = np.where(RAMP % 2, RAMP % 2048, -(RAMP % 2048)).astype(np.int16)
    path = write(tmp_path / "b.dcm", signed & 0x0FFF, BitsStored=12)
    np.testing.assert_allclose(grey(path), stretched(signed.astype(float)), atol=0.51)


def test_no_patients_text_is_even_read(tmp_path, monkeypatch):
    shared = [item(PatientOrientation="L")]
    path, seen = write(tmp_path / "a.dcm", DEEP, SharedFunctionalGroupsSequence=shared), []
    read = pydicom.dcmread

    def watched(*args, **options):
        seen.append(read(*args, **options))
        return seen[-1]

    monkeypatch.setattr(pydicom, "dcmread", watched)
    originals.load(path, 1)
    assert "PatientID" in read(path) and "Rows" in seen[0]
    assert not {"PatientName", "PatientID"} & {element.keyword for element in seen[0]}
    assert not any(element.VR == "PN" for element in seen[0].iterall())


def test_values_in_the_upper_bits_are_refused(tmp_path):
    pixels = (np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) % 4096) << 4
    path = write(tmp_path / "a.dcm", pixels, BitsStored=12, HighBit=15)
    with pytest.raises(
        DataError, match="its HighBit is 15: its values do not lie in the lowest bits"
    ):
        originals.load(path, 1)
