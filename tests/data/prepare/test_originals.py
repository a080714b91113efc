import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import originals
from transfer_jax.data.storage import image_codec

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
    with_alpha = save(
        tmp_path / "alpha.png", np.dstack([COLOUR[..., ::-1], np.full((40, 60), 7, np.uint8)])
    )
    np.testing.assert_array_equal(originals.load(with_alpha, 3), COLOUR)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_of_16_bits_keep_their_range_or_are_stretched(tmp_path, channels):
    path = save(tmp_path / "deep.png", DEEP)
    whole, stretched = originals.load(path, channels), originals.load(path, channels, stretch=True)
    np.testing.assert_array_equal(whole[..., 0], np.round(DEEP / 65535 * 255))
    low, high = int(DEEP.min()), int(DEEP.max())
    np.testing.assert_array_equal(
        stretched[..., -1],
        np.round((DEEP.astype(np.float32) - low) * np.float32(255 / (high - low))),
    )
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
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
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
    for data in (b"", b"no image", whole[:20], whole[: len(whole) // 2], whole[:-20], whole[:-1]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"y\..* is (not a readable JPEG or PNG|cut off)"):
            originals.load(path, 3)
    with pytest.raises(DataError, match="cannot be opened"):
        originals.load(tmp_path / "none.png", 3)
    with pytest.raises(DataError, match="cannot be opened"):
        originals.load(tmp_path, 3)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_deep_colours_keep_their_order(tmp_path, suffix):
    deep = COLOUR.astype(np.uint16) * 200
    path = save(tmp_path / f"deep{suffix}", deep[..., ::-1], suffix)
    np.testing.assert_allclose(originals.load(path, 3), deep * (255 / 65535), atol=0.51)
    np.testing.assert_allclose(
        originals.load(path, 1)[..., 0], deep @ [0.299, 0.587, 0.114] * (255 / 65535), atol=1
    )


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("stored", [1, 3])
def test_signed_and_floating_point_tiffs_read_alike_in_1_and_3_channels(tmp_path, dtype, stored):
    ramp = np.arange(40 * 60).reshape(40, 60) / 20 - 60
    values = ramp.astype(dtype) if stored == 1 else np.dstack([ramp, -ramp, ramp / 2]).astype(dtype)
    path = save(tmp_path / "x.tif", values[..., ::-1] if stored == 3 else values, ".tif")
    precise = values.astype(float)
    expected = (precise - precise.min()) * (255 / (precise.max() - precise.min()))
    for stretch in (False, True):
        colour, grey = (originals.load(path, channels, stretch=stretch) for channels in (3, 1))
        np.testing.assert_allclose(
            colour, expected if stored == 3 else np.repeat(expected[..., None], 3, 2), atol=0.51
        )
        weighted = expected @ [0.299, 0.587, 0.114] if stored == 3 else expected
        np.testing.assert_allclose(grey[..., 0], weighted, atol=1.01)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_refused(tmp_path, odd, channels):
    values = DEEP.astype(np.float32)
    values[5, 6] = odd
    with pytest.raises(DataError, match=r"x\.tif has 1 values that are NaN or infinite"):
        originals.load(save(tmp_path / "x.tif", values, ".tif"), channels)


@pytest.mark.parametrize(
    "form", [{"compression": "raw"}, {"compression": "tiff_lzw"}, {"big_tiff": True}]
)
def test_tiffs_of_all_kinds_and_cut_off(tmp_path, form):
    path = tmp_path / "x.tif"
    PIL.Image.fromarray(COLOUR).save(path, **form)
    np.testing.assert_array_equal(originals.load(path, 3), COLOUR)
    whole = path.read_bytes()
    for share in (0.2, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match="is not a readable"):
            originals.load(path, 3)


def test_how_much_of_its_range_a_deep_image_uses(tmp_path):
    twelve = save(tmp_path / "a.png", np.minimum(DEEP, 4095))
    assert originals.read(twelve, 1).reach == pytest.approx(4095 / 65535)
    assert originals.read(twelve, 3).reach == pytest.approx(4095 / 65535)
    assert originals.read(twelve, 1, stretch=True).reach is None
    assert originals.read(save(tmp_path / "b.png", COLOUR), 3).reach is None
    assert originals.read(lambda: COLOUR, 3).reach is None
    assert (
        originals.read(save(tmp_path / "c.tif", DEEP.astype(np.float32), ".tif"), 3).reach is None
    )


def test_the_note_on_dark_images_counts_them():
    assert originals.note_on_range([]) is None
    assert originals.note_on_range([0.9, 1.0, 0.51]) is None
    note = originals.note_on_range([0.03, 4095 / 65535, 1.0])
    assert "2 of 3 images of more than 8 bits are dark" in note
    assert (
        "at most 6.2% of the range" in note and "becomes 16 of 255" in note and "--stretch" in note
    )


@pytest.mark.parametrize("encoding", image_codec.ENCODINGS)
def test_encodings_of_records(encoding):
    for image in (COLOUR, COLOUR[..., :1]):
        found = image_codec.decode(image_codec.encode(image, encoding), encoding, image.shape, "x")
        assert np.abs(found.astype(int) - image).max() <= (14 if encoding == "jpeg" else 0)
        for wrong in (b"", b"abc", image_codec.encode(image[:-1], encoding)):
            with pytest.raises(DataError, match=r"record 3 is not an image of 40 x 60 x"):
                image_codec.decode(wrong, encoding, image.shape, "record 3")


def test_images_are_fitted_by_padding_or_squashing():
    padded, squashed = (image_codec.resize(COLOUR, 32, fit) for fit in image_codec.FITS)
    assert padded.shape == squashed.shape == (32, 32, 3)
    assert (padded[:5] == 0).all() and (padded[-5:] == 0).all()
    assert padded[6:-6].mean() == pytest.approx(COLOUR.mean(), rel=0.02)
    np.testing.assert_array_equal(
        squashed, cv2.resize(COLOUR, (32, 32), interpolation=cv2.INTER_AREA)
    )
    assert image_codec.resize(squashed, 32, "pad") is squashed
    np.testing.assert_array_equal(
        image_codec.resize(np.repeat(np.repeat(squashed, 2, 0), 2, 1), 32, "pad"), squashed
    )  # area averaging of equal pixels
