"""How pixels are stored in DICOM files: byte orders, compressions, decoders, and what is
cut off.
"""

import io

import numpy as np
import pydicom
import pytest
from dicom_maker import DEEP, FOLDER, RAMP, grey, stretched, write
from pydicom import pixels, uid
from pydicom.encaps import get_frame

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import dicom_files, originals


def refused(path, reason):
    with pytest.raises(DataError, match=reason):
        originals.load(path, 1)


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
        dicom_files.decode(whole[: int(len(whole) * share)], name)
    file = pydicom.dcmread(FOLDER / name)
    if file.file_meta.TransferSyntaxUID.is_encapsulated:
        stream = get_frame(file.PixelData, 0, number_of_frames=1)
        file.PixelData = pydicom.encaps.encapsulate([stream[: int(len(stream) * share)]])
        file["PixelData"].is_undefined_length = True
        file.save_as(tmp_path / "a.dcm")
        refused(tmp_path / "a.dcm", "not a readable DICOM image")
