"""Palettes, modality tables and VOI tables of DICOM images."""

import struct

import numpy as np
import pydicom
import pytest
from dicom_maker import RAMP, lookup_table, palette, write
from pydicom import pixels, uid

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import originals

INDICES = (RAMP % 256).astype(np.uint8)
RED, GREEN, BLUE = np.arange(256), 255 - np.arange(256), np.arange(256) // 2
EXPECTED = np.stack([table[INDICES] for table in (RED, GREEN, BLUE)], -1)


def grey(path):
    return originals.load(path, 1)[..., 0]


PLAIN = [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.ImplicitVRLittleEndian]


@pytest.mark.parametrize("syntax", PLAIN)
@pytest.mark.parametrize(("bits", "depth"), [(16, 16), (8, 16), (8, 8)])
def test_palettes_of_8_and_16_bits(tmp_path, syntax, bits, depth):
    tables = [table * (257 if bits == 16 else 1) for table in (RED, GREEN, BLUE)]
    order = "<" if syntax.is_little_endian else ">"
    tags = palette(*tables, 0, bits, depth, order)
    if depth == 8 and order == ">":  # two entries of 8 bits are a word, swapped like all others
        for name, data in tags.items():
            if isinstance(data, bytes):
                tags[name] = np.frombuffer(data, "u2").byteswap().tobytes()
    path = write(tmp_path / "a.dcm", INDICES, "PALETTE COLOR", syntax=syntax, **tags)
    np.testing.assert_allclose(originals.load(path, 3), EXPECTED, atol=1)
    np.testing.assert_allclose(grey(path), EXPECTED @ [0.299, 0.587, 0.114], atol=1)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("first", [0, 300, -300])
def test_palettes_that_cover_a_part_of_the_indices(tmp_path, first, bits):
    count = 1000
    scale = 255 if bits == 8 else 65535
    tables = [
        np.linspace(0, scale, count).astype(int),
        np.linspace(scale, 0, count).astype(int),
        np.arange(count) % (scale + 1),
    ]
    indices = (RAMP - 1000).astype(np.int16)
    tags = palette(*tables, first, bits, bits)
    path = write(tmp_path / "a.dcm", indices, "PALETTE COLOR", **tags)
    position = np.clip(indices - first, 0, count - 1)
    expected = np.stack([table[position] for table in tables], -1) * (255 / scale)
    np.testing.assert_allclose(originals.load(path, 3), expected, atol=0.51)


@pytest.mark.parametrize("bits", [8, 16])
def test_segmented_palettes(tmp_path, bits):
    letter, scale = ("B", 1) if bits == 8 else ("H", 257)
    red = [0, 1, 0, 1, 255, 255 * scale]  # 0, then 255 steps up to white
    green = [0, 1, 255 * scale, 1, 255, 0]
    blue = [0, 2, 7 * scale, 7 * scale, 1, 254, 7 * scale]
    tags = {}
    for colour, segments in zip(("Red", "Green", "Blue"), (red, green, blue), strict=True):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        data = struct.pack(f"<{len(segments)}{letter}", *segments)
        tags[f"Segmented{colour}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    path = write(tmp_path / "a.dcm", INDICES, "PALETTE COLOR", **tags)
    expected = np.stack([INDICES, 255 - INDICES, np.full(INDICES.shape, 7)], -1)
    np.testing.assert_allclose(originals.load(path, 3), expected, atol=1)


def test_a_palette_beside_a_grey_image_is_only_an_offer(tmp_path):
    path = write(tmp_path / "a.dcm", INDICES, **palette(RED, GREEN, BLUE, 0, 16))
    np.testing.assert_array_equal(grey(path), INDICES)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PixelPresentation": "COLOR"}, "PixelPresentation is COLOR"),
        (
            {"RedPaletteColorLookupTableDescriptor": None},
            "has no RedPaletteColorLookupTableDescriptor",
        ),
        (
            {"RedPaletteColorLookupTableDescriptor": [256, 0]},
            r"RedPaletteColorLookupTableDescriptor is \[256, 0\], not three",
        ),
        (
            {"BluePaletteColorLookupTableDescriptor": [128, 0, 16]},
            r"descriptors \(256, 0, 16\), .*\(128, 0, 16\): must be equal",
        ),
        ({"GreenPaletteColorLookupTableData": b""}, "has no GreenPaletteColorLookupTableData"),
        (
            {"GreenPaletteColorLookupTableData": bytes(200)},
            "GreenPaletteColorLookupTableData has 100 entries up to 0, its descriptor says 256",
        ),
    ],
)
def test_palettes_that_make_no_sense_are_refused_by_name(tmp_path, change, reason):
    tags = palette(RED, GREEN, BLUE, 0, 16) | change
    path = write(tmp_path / "a.dcm", INDICES, "PALETTE COLOR", **tags)
    with pytest.raises(DataError, match=reason):
        originals.load(path, 3)


@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_voi_tables_say_what_is_black_and_white(tmp_path, bits, vr):
    top = 2**bits - 1
    entries = np.linspace(top // 4, top // 2, 3000).astype(int)  # neither black nor white is in it
    stored = RAMP.astype(np.uint16)
    path = write(
        tmp_path / "a.dcm",
        stored,
        BitsStored=12,
        VOILUTSequence=[lookup_table(entries, 500, bits, vr)],
    )
    expected = entries[np.clip(RAMP - 500, 0, 2999)] * (255 / top)
    np.testing.assert_allclose(grey(path), expected, atol=0.51)
    turned = write(
        tmp_path / "b.dcm",
        stored,
        "MONOCHROME1",
        VOILUTSequence=[lookup_table(entries, 500, bits, vr)],
    )
    np.testing.assert_allclose(grey(turned), 255 - expected, atol=0.51)


def test_voi_tables_look_up_rescaled_values(tmp_path):
    entries = np.arange(2000) * 2
    stored = RAMP.astype(np.uint16)
    table = lookup_table(entries, -1024, 12)
    tags = {"RescaleSlope": 1, "RescaleIntercept": -1024, "VOILUTSequence": [table]}
    path = write(tmp_path / "a.dcm", stored, **tags)
    np.testing.assert_allclose(grey(path), np.clip(RAMP, 0, 1999) * 2 * (255 / 4095), atol=0.51)


@pytest.mark.parametrize(("bits", "first"), [(8, 0), (12, -700), (16, -30_000)])
def test_modality_tables(tmp_path, bits, first):
    long = first == -30_000
    entries = np.linspace(2**bits - 1, 0, 60_000 if long else 2000).astype(int)
    stored = (RAMP * 15 - 30_000 if long else RAMP - 1000).astype(np.int16)
    table = lookup_table(entries, first, bits)
    path = write(tmp_path / "a.dcm", stored, ModalityLUTSequence=[table])
    values = entries[np.clip(stored.astype(int) - first, 0, len(entries) - 1)].astype(float)
    expected = (values - values.min()) * (255 / (values.max() - values.min()))
    np.testing.assert_allclose(grey(path), expected, atol=0.51)


def test_tables_agree_with_pydicom_where_it_does_not_wrap_around(tmp_path):
    entries = np.arange(4000) ** 2 // 300
    stored = RAMP.astype(np.uint16)
    table = lookup_table(entries, 100, 16)
    path = write(tmp_path / "a.dcm", stored, BitsStored=12, VOILUTSequence=[table])
    file = pydicom.dcmread(path)
    expected = pixels.apply_voi_lut(file.pixel_array, file) * (255 / 65535)
    np.testing.assert_allclose(grey(path), expected, atol=0.51)


@pytest.mark.parametrize(
    ("entries", "bits", "descriptor", "reason"),
    [
        (
            [1, 2, 3],
            16,
            [9, 0, 16],
            "LUTData has 3 entries up to 3, its descriptor says 9 of 16 bits",
        ),
        (
            [1, 2, 700],
            8,
            [3, 0, 8],
            "LUTData has 3 entries up to 700, its descriptor says 3 of 8 bits",
        ),
        ([1, 2, 3], 17, [3, 0, 17], "LUTDescriptor says 17 bits per entry, possible are 8 to 16"),
        ([1, 2, 3], 16, [3, 0], r"LUTDescriptor is \[3, 0\], not three whole numbers"),
    ],
)
@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
def test_tables_that_make_no_sense(tmp_path, sequence, entries, bits, descriptor, reason):
    table = lookup_table(entries, 0, bits)
    table.LUTDescriptor = descriptor
    path = write(tmp_path / "a.dcm", RAMP.astype(np.uint16), **{sequence: [table]})
    with pytest.raises(DataError, match=reason):
        originals.load(path, 1)
