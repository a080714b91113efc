"""DICOM files: encodings, colours, and what is refused."""

import io

import cv2
import numpy as np
import pydicom
import pytest
from dicom_maker import RAMP, item, write
from pydicom import pixels, uid
from pydicom.encaps import get_frame
from test_dicom_files import FOLDER

from transfer_jax.core.errors import DataError
from transfer_jax.data import dicom, originals

RNG = np.random.default_rng(0)
COLOUR = cv2.GaussianBlur(RNG.integers(0, 256, (40, 60, 3), np.uint8), (0, 0), 2)
DEEP = (RAMP * 16 + 100).astype(np.uint16)


def stretched(values):
    return (values - values.min()) * (255.0 / (values.max() - values.min()))


def grey(path):
    return originals.load(path, 1)[..., 0]


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


ARRAYS = [DEEP, (RAMP - 2000).astype(np.int16), (RAMP % 256).astype(np.uint8)]
PLAIN = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian]


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("syntax", [*PLAIN, uid.DeflatedExplicitVRLittleEndian])
def test_uncompressed_encodings(tmp_path, syntax, array):
    path = write(tmp_path / "a.dcm", array, syntax=syntax)
    np.testing.assert_allclose(grey(path), stretched(array.astype(float)), atol=0.51)


@pytest.mark.parametrize("syntax", PLAIN)
@pytest.mark.parametrize("name", ["a.dcm", "IM0001"])
def test_files_without_preamble_and_meta(tmp_path, syntax, name):
    file = pydicom.dcmread(write(tmp_path / "whole.dcm", DEEP, syntax=syntax))
    buffer = io.BytesIO()
    pydicom.filewriter.write_dataset(writer(buffer, syntax), file)
    (tmp_path / name).write_bytes(buffer.getvalue())
    np.testing.assert_allclose(originals.load(tmp_path / name, 1)[..., 0], stretched(DEEP), atol=1)


def writer(buffer, syntax):
    stream = pydicom.filebase.DicomIO(buffer)
    stream.is_implicit_VR, stream.is_little_endian = syntax.is_implicit_VR, syntax.is_little_endian
    return stream


def test_compressed_pixels_need_their_transfer_syntax(tmp_path):
    file = pydicom.dcmread(FOLDER / "SC_rgb_rle.dcm")
    buffer = io.BytesIO()
    pydicom.filewriter.write_dataset(writer(buffer, uid.ExplicitVRLittleEndian), file)
    (tmp_path / "a.dcm").write_bytes(buffer.getvalue())
    refused(tmp_path / "a.dcm", "no TransferSyntaxUID, which would say how its pixels are")


@pytest.mark.parametrize("syntax", [uid.HTJ2KLossless, uid.HTJ2K, uid.HTJ2KLosslessRPCL])
def test_high_throughput_jpeg_2000_has_a_decoder(tmp_path, syntax):
    # No encoder is at hand: the decoder, which tells both kinds of streams apart, gets a plain one.
    file = pydicom.dcmread(FOLDER / "MR_small_jp2klossless.dcm")
    file.file_meta.TransferSyntaxUID = syntax
    file.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(grey(tmp_path / "a.dcm"), grey(FOLDER / "MR_small.dcm"))


@pytest.mark.parametrize("syntax", [uid.MPEG2MPML, uid.UID("1.2.840.113619.5.2")])
def test_unknown_compressions_are_refused_by_name(tmp_path, syntax):
    file = pydicom.dcmread(FOLDER / "MR_small_jp2klossless.dcm")
    file.file_meta.TransferSyntaxUID = syntax
    file.save_as(tmp_path / "a.dcm", implicit_vr=False, little_endian=True)
    refused(tmp_path / "a.dcm", rf"stored as .*{syntax}\), which pydicom does not decode")


def test_a_transfer_syntax_that_pydicom_has_never_heard_of(tmp_path):
    known, unknown = b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.88"
    data = (FOLDER / "MR_small_jp2klossless.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(data.replace(known, unknown))
    refused(tmp_path / "a.dcm", unknown.decode())


@pytest.mark.parametrize(
    ("name", "left", "package"),
    [
        ("MR_small_jpeg_ls_lossless.dcm", [], "pylibjpeg-libjpeg"),
        ("JPGExtended.dcm", ["pillow"], "pylibjpeg-libjpeg"),
        ("examples_jpeg2k.dcm", [], "pylibjpeg-openjpeg"),
    ],
)
def test_a_missing_decoder_is_named_with_its_package(monkeypatch, name, left, package):
    decoder = pixels.get_decoder(pydicom.dcmread(FOLDER / name).file_meta.TransferSyntaxUID)
    available = {plugin: decoder._available[plugin] for plugin in left}
    monkeypatch.setattr(decoder, "_available", available)
    monkeypatch.setattr(
        decoder,
        "_unavailable",
        {"gdcm": ("gdcm",), "pylibjpeg": ("pylibjpeg>=2.0", f"{package}>=2.0")},
    )
    with pytest.raises(
        DataError,
        match=rf"pip install -e '.\[dicom\]' \(it brings pylibjpeg>=2.0 and {package}>=2.0\)",
    ):
        originals.load(FOLDER / name, 1)


def test_the_extra_has_a_decoder_for_every_compression_that_pydicom_knows():
    decoders = [decoder for decoder in map(decoder_of, uid.AllTransferSyntaxes) if decoder]
    compressed = [decoder for decoder in decoders if decoder.is_encapsulated]
    assert len(compressed) >= 12
    assert all("pylibjpeg" in decoder.available_plugins for decoder in compressed)


def decoder_of(syntax):
    try:
        return pixels.get_decoder(syntax)
    except NotImplementedError:
        return None


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "image_dfl.dcm",
        "MR_small_RLE.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "JPGExtended.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.8, 0.97])
def test_files_and_streams_that_were_cut_off(tmp_path, name, share):
    whole = (FOLDER / name).read_bytes()
    with pytest.raises(DataError, match="not a readable DICOM image"):
        dicom.decode(whole[: int(len(whole) * share)], name)
    file = pydicom.dcmread(FOLDER / name)
    if file.file_meta.TransferSyntaxUID.is_encapsulated:
        stream = get_frame(file.PixelData, 0, number_of_frames=1)
        file.PixelData = pydicom.encaps.encapsulate([stream[: int(len(stream) * share)]])
        file["PixelData"].is_undefined_length = True
        file.save_as(tmp_path / "a.dcm")
        refused(tmp_path / "a.dcm", "not a readable DICOM image")


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
