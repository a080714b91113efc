import struct
import zlib

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from transfer_jax.core.errors import DataError
from transfer_jax.data import images, originals

RNG = np.random.default_rng(0)
COLOUR = cv2.GaussianBlur(RNG.integers(0, 256, (40, 60, 3), np.uint8), (0, 0), 2)
DEEP = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) * 20 + 100


def save(path, array, suffix=".png"):
    done, data = cv2.imencode(suffix, array)
    assert done
    path.write_bytes(data.tobytes())
    return path


def test_files_of_8_bits(tmp_path):
    png = save(tmp_path / "bild ä 1.png", COLOUR[..., ::-1])
    np.testing.assert_array_equal(originals.load(png, 3), COLOUR)
    grey = originals.load(png, 1)
    assert grey.shape == (40, 60, 1)
    np.testing.assert_allclose(grey[..., 0], COLOUR @ [0.299, 0.587, 0.114], atol=1)
    jpeg = save(tmp_path / "x.jpeg", COLOUR[..., ::-1], ".jpeg")
    assert np.abs(originals.load(jpeg, 3).astype(int) - COLOUR).max() < 20
    single = save(tmp_path / "grey.png", COLOUR[..., 0])
    np.testing.assert_array_equal(originals.load(single, 3), np.repeat(COLOUR[..., :1], 3, 2))
    tif = save(tmp_path / "x.tif", COLOUR[..., ::-1], ".tif")
    np.testing.assert_array_equal(originals.load(tif, 3), COLOUR)
    with_alpha = save(tmp_path / "alpha.png", np.dstack([COLOUR[..., ::-1], np.full((40, 60), 7, np.uint8)]))
    np.testing.assert_array_equal(originals.load(with_alpha, 3), COLOUR)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_of_16_bits_keep_their_range_or_are_stretched(tmp_path, channels):
    path = save(tmp_path / "deep.png", DEEP)
    whole, stretched = originals.load(path, channels), originals.load(path, channels, stretch=True)
    np.testing.assert_array_equal(whole[..., 0], np.round(DEEP / 65535 * 255))
    low, high = int(DEEP.min()), int(DEEP.max())
    np.testing.assert_array_equal(stretched[..., -1], np.round((DEEP.astype(np.float32) - low) * np.float32(255 / (high - low))))
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert whole.shape == (40, 60, channels)


def test_arrays():
    np.testing.assert_array_equal(originals.load(lambda: COLOUR, 3), COLOUR)
    np.testing.assert_array_equal(originals.load(lambda: COLOUR[..., 0], 3)[..., 2], COLOUR[..., 0])
    for wrong in (COLOUR.astype(float), COLOUR[None], COLOUR[:0], np.zeros((4, 4, 2), np.uint8)):
        with pytest.raises(DataError, match="no image of 8-bit"):
            originals.load(lambda wrong=wrong: wrong, 3)

    def fails():
        raise ValueError("bad file")

    with pytest.raises(DataError, match="bad file"):
        originals.load(fails, 3)


def bomb(path, side):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    return path


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 11_000, 50_000])
def test_bombs_are_refused_by_their_header(tmp_path, side):
    with pytest.raises(DataError, match="more than 100,000,000"):
        originals.load(bomb(tmp_path / "bomb.png", side), 1)


@pytest.mark.parametrize("suffix", [".png", ".jpeg"])
def test_files_that_are_no_images_or_cut_off(tmp_path, suffix):
    whole = save(tmp_path / f"x{suffix}", COLOUR, suffix).read_bytes()
    path = tmp_path / f"y{suffix}"
    for data in (b"", b"no image", whole[:20], whole[: len(whole) // 2], whole[:-20]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"y\..* is (not a readable JPEG or PNG|cut off)"):
            originals.load(path, 3)
    with pytest.raises(DataError, match="cannot be opened"):
        originals.load(tmp_path / "none.png", 3)
    with pytest.raises(DataError, match="cannot be opened"):
        originals.load(tmp_path, 3)


def dicom(path, pixels, photometric="MONOCHROME2", **tags):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.PatientName, file.PatientID = "Nobody^Jane", "12345"
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel, file.PhotometricInterpretation = (3 if pixels.ndim == 3 else 1), photometric
    if pixels.ndim == 3:
        file.PlanarConfiguration = 0
    bits = 8 * pixels.dtype.itemsize
    file.BitsAllocated, file.BitsStored, file.HighBit = bits, tags.pop("BitsStored", bits), bits - 1
    file.PixelRepresentation = int(pixels.dtype.kind == "i")
    file.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(file, name, value)
    file.save_as(path, enforce_file_format=True)
    return path


def test_dicom_without_a_window_is_stretched_and_monochrome1_turned_over(tmp_path):
    shown = originals.load(dicom(tmp_path / "a.dcm", DEEP), 1)[..., 0]
    wanted = np.round(255 * (DEEP - 100.0) / (DEEP.max() - 100))
    np.testing.assert_allclose(shown, wanted, atol=1)
    turned = originals.load(dicom(tmp_path / "b.dcm", DEEP, "MONOCHROME1"), 1)[..., 0]
    np.testing.assert_allclose(turned, 255 - wanted, atol=1)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
@pytest.mark.parametrize("rescaled", [False, True])
def test_dicom_windows_are_those_of_the_standard(tmp_path, dtype, rescaled):
    # PS3.3 C.11.2.1.2: y = ((x - (c - 0.5)) / (w - 1) + 0.5), cut off at both ends.
    stored = (np.arange(2400).reshape(40, 60) - (1000 if dtype is np.int16 else 0)).astype(dtype)
    slope, intercept = (2.0, -100.0) if rescaled else (1.0, 0.0)
    tags = {"RescaleSlope": slope, "RescaleIntercept": intercept} if rescaled else {}
    centre, width = 700.0, 900.0
    path = dicom(tmp_path / "a.dcm", stored, WindowCenter=[centre, 1.0], WindowWidth=[width, 2.0], **tags)
    wanted = np.clip((stored * slope + intercept - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
    np.testing.assert_allclose(originals.load(path, 1)[..., 0], wanted, atol=0.51)


def test_dicom_in_colour_and_without_its_suffix(tmp_path):
    path = dicom(tmp_path / "noname", COLOUR, "RGB")
    np.testing.assert_array_equal(originals.load(path, 3), COLOUR)


def test_dicom_that_cannot_be_shown(tmp_path):
    whole = dicom(tmp_path / "a.dcm", DEEP).read_bytes()
    (tmp_path / "b.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a readable DICOM image"):
        originals.load(tmp_path / "b.dcm", 1)
    (tmp_path / "c.dcm").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a readable DICOM image"):
        originals.load(tmp_path / "c.dcm", 1)
    with pytest.raises(DataError, match="holds 3 frames"):
        originals.load(dicom(tmp_path / "d.dcm", DEEP, NumberOfFrames=3), 1)
    with pytest.raises(DataError, match="more than 100,000,000"):
        originals.load(dicom(tmp_path / "e.dcm", DEEP, Rows=20_000, Columns=20_000), 1)


def test_no_patients_text_is_even_read(tmp_path, monkeypatch):
    path, seen = dicom(tmp_path / "a.dcm", DEEP), []
    read = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda *args, **kwargs: seen.append(read(*args, **kwargs)) or seen[-1])
    originals.load(path, 1)
    assert "PatientID" in read(path) and "Rows" in seen[0]
    assert not {"PatientName", "PatientID"} & {element.keyword for element in seen[0]}


@pytest.mark.parametrize("encoding", images.ENCODINGS)
def test_encodings_of_records(encoding):
    for image in (COLOUR, COLOUR[..., :1]):
        found = images.decode(images.encode(image, encoding), encoding, image.shape, "x")
        assert np.abs(found.astype(int) - image).max() <= (14 if encoding == "jpeg" else 0)
        for wrong in (b"", b"abc", images.encode(image[:-1], encoding)):
            with pytest.raises(DataError, match=r"record 3 is not an image of 40 x 60 x"):
                images.decode(wrong, encoding, image.shape, "record 3")


def test_images_are_fitted_by_padding_or_squashing():
    padded, squashed = (images.resize(COLOUR, 32, fit) for fit in images.FITS)
    assert padded.shape == squashed.shape == (32, 32, 3)
    assert (padded[:5] == 0).all() and (padded[-5:] == 0).all()
    assert padded[6:-6].mean() == pytest.approx(COLOUR.mean(), rel=0.02)
    np.testing.assert_array_equal(squashed, cv2.resize(COLOUR, (32, 32), interpolation=cv2.INTER_AREA))
    assert images.resize(squashed, 32, "pad") is squashed
    np.testing.assert_array_equal(images.resize(np.repeat(np.repeat(squashed, 2, 0), 2, 1), 32, "pad"), squashed)  # area averaging of equal pixels
