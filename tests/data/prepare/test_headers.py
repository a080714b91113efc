import io
import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import headers, originals

RNG = np.random.default_rng(0)
COLOUR = cv2.GaussianBlur(RNG.integers(0, 256, (160, 240, 3), np.uint8), (0, 0), 1)
THUMBNAIL = cv2.resize(COLOUR, (80, 60))


def encoded(array, kind, mode=None, **options):
    stream = io.BytesIO()
    image = PIL.Image.fromarray(array)
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


def with_segment(jpeg, content, marker):
    """Inserts an application segment behind the start of a JPEG."""
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
    return jpeg[:2] + segment + jpeg[2:]


def with_chunk(png, kind, content):
    """Inserts a chunk behind the header of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    chunk = struct.pack(">I", len(content)) + kind + content + checksum
    return png[:33] + chunk + png[33:]


JPEG, PNG = encoded(COLOUR, "JPEG", quality=90), encoded(COLOUR, "PNG")
SMALL_JPEG, SMALL_PNG = encoded(THUMBNAIL, "JPEG", quality=90), encoded(THUMBNAIL, "PNG")
# Whole files, and where the image itself ends in them.
WHOLE = {
    "plain": (JPEG, len(JPEG)),
    "grey": (encoded(COLOUR[..., 0], "JPEG"), None),
    "progressive": (encoded(COLOUR, "JPEG", progressive=True), None),
    "restarts": (
        cv2.imencode(".jpg", COLOUR, [cv2.IMWRITE_JPEG_RST_INTERVAL, 3])[1].tobytes(),
        None,
    ),
    "subsampled": (encoded(COLOUR, "JPEG", subsampling=2, optimize=True), None),
    "four inks": (encoded(COLOUR, "JPEG", mode="CMYK"), None),
    "exif": (with_segment(JPEG, b"Exif\0\0" + SMALL_JPEG, 0xE1), None),
    "jfxx": (with_segment(JPEG, b"JFXX\0\x10" + SMALL_JPEG, 0xE0), None),
    "comment": (with_segment(JPEG, b"\xff\xd9\xff\xda\xff\xff", 0xFE), None),
    "fill bytes": (JPEG[:2] + b"\xff\xff\xff" + JPEG[2:], None),
    "garbage": (JPEG + bytes(3 * len(JPEG)), len(JPEG)),
    "two pictures": (JPEG + SMALL_JPEG, len(JPEG)),
    "png": (PNG, len(PNG)),
    "png thumbnail": (with_chunk(PNG, b"prVt", SMALL_PNG), None),
    "png garbage": (PNG + bytes(3 * len(PNG)), len(PNG)),
    "two pngs": (PNG + SMALL_PNG, len(PNG)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_are_read_and_their_beginnings_are_refused(tmp_path, name):
    data, end = WHOLE[name]
    path = tmp_path / ("x.png" if data.startswith(b"\x89PNG") else "x.jpg")
    path.write_bytes(data)
    assert not headers.is_cut_off(data)
    assert originals.load(path, 3).shape == (160, 240, 3)
    end = end or len(data)
    for length in (*range(100, end - 1, end // 25), end - 1):
        assert headers.is_cut_off(data[:length]), length
    path.write_bytes(data[: int(0.9 * end)])
    with pytest.raises(DataError, match=r"x\.\w+ is cut off: its end is missing"):
        originals.load(path, 3)


def test_a_multi_picture_file_is_whole_when_its_first_picture_is(tmp_path):
    stream = io.BytesIO()
    first, second = PIL.Image.fromarray(COLOUR), PIL.Image.fromarray(THUMBNAIL)
    first.save(stream, "MPO", save_all=True, append_images=[second])
    data = stream.getvalue()
    assert data.count(b"\xff\xd9") >= 2
    (tmp_path / "x.jpg").write_bytes(data[:-100])
    assert originals.load(tmp_path / "x.jpg", 3).shape == (160, 240, 3)
    assert headers.is_cut_off(data[: len(data) // 2])


def test_an_end_that_belongs_to_something_else_does_not_count():
    half = JPEG[: len(JPEG) // 2]
    for rest in (bytes(len(half)), SMALL_JPEG, JPEG, 20 * JPEG, SMALL_PNG):
        assert headers.is_cut_off(half + rest)
    half = PNG[: len(PNG) // 2]
    for rest in (bytes(len(half)), SMALL_JPEG):
        assert headers.is_cut_off(half + rest)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("TIFF", {}),
        ("TIFF", {"big_tiff": True}),
        ("BMP", {}),
        ("GIF", {}),
        ("WEBP", {}),
    ],
)
def test_sizes_are_read_from_headers(kind, options):
    assert headers.size(encoded(COLOUR, kind, **options)) == (160, 240)


@pytest.mark.parametrize("kind", ["BMP", "WEBP", "PPM", "JPEG2000"])
def test_other_formats_that_were_cut_off(tmp_path, kind):
    data = encoded(COLOUR, kind)
    path = tmp_path / "x.img"
    path.write_bytes(data)
    assert originals.load(path, 3).shape == (160, 240, 3)
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(DataError, match="is not a readable"):
            originals.load(path, 3)


def test_what_is_taken_for_dicom():
    assert headers.is_dicom(bytes(128) + b"DICM", ".png")
    assert headers.is_dicom(b"", ".DCM") and headers.is_dicom(b"", ".dicom")
    assert headers.is_dicom(b"\x02\0\0\0UL\4\0", "")
    assert headers.is_dicom(b"\x08\0\x05\0\x0a\0\0\0", ".ima")
    assert headers.is_dicom(b"\0\x08\0\x05CS\0\x0a", "")
    for kind in (
        "PNG",
        "JPEG",
        "TIFF",
        "BMP",
        "GIF",
        "WEBP",
        "PPM",
        "JPEG2000",
        "TGA",
        "ICO",
        "PCX",
    ):
        assert not headers.is_dicom(encoded(THUMBNAIL, kind), "")
