"""Grey DICOM images: padding, rescaling, windows, and what is black and white."""

import numpy as np
import pytest
from dicom_maker import RAMP, grey, item, lookup_table, stretched, write

from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import originals

DEEP = (RAMP + 100).astype(np.uint16)
SIGNED = (RAMP - 1000).astype(np.int16)
DISC = (np.arange(60) - 30) ** 2 + ((np.arange(40) - 20) ** 2)[:, None] < 300


def window(values, centre, width):
    """The linear window of PS3.3 C.11.2.1.2."""
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255


def test_without_a_window_the_range_is_stretched_and_monochrome1_turned_over(tmp_path):
    np.testing.assert_allclose(grey(write(tmp_path / "a.dcm", DEEP)), stretched(DEEP), atol=0.51)
    turned = write(tmp_path / "b.dcm", DEEP, "MONOCHROME1")
    np.testing.assert_allclose(grey(turned), 255 - stretched(DEEP), atol=0.51)


def test_equal_pixels_are_black(tmp_path):
    assert (grey(write(tmp_path / "a.dcm", np.full((40, 60), 700, np.uint16))) == 0).all()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("stored", [DEEP, SIGNED])
@pytest.mark.parametrize("slope", [None, 1.0, 2.5, -1.0, -0.5])
def test_windows_are_those_of_the_standard(tmp_path, stored, slope, photometric):
    tags = {} if slope is None else {"RescaleSlope": slope, "RescaleIntercept": -100}
    values = stored * 1.0 if slope is None else stored * slope - 100
    centre, width = float(np.round(values.mean())), 900.0
    expected = window(values, centre, width)
    if photometric == "MONOCHROME1":
        expected = 255 - expected
    path = write(
        tmp_path / "a.dcm",
        stored,
        photometric,
        WindowCenter=[centre, 1.0],
        WindowWidth=[width, 2.0],
        **tags,
    )
    np.testing.assert_allclose(grey(path), expected, atol=0.51)
    assert len(np.unique(grey(path))) > 100


def test_a_negative_slope_without_a_window_makes_the_lowest_stored_value_white(tmp_path):
    path = write(tmp_path / "a.dcm", DEEP, RescaleSlope=-2, RescaleIntercept=50)
    np.testing.assert_allclose(grey(path), 255 - stretched(DEEP), atol=0.51)


@pytest.mark.parametrize(
    "tags",
    [
        {"WindowCenter": None, "WindowWidth": None},
        {"WindowCenter": 500, "WindowWidth": None},
        {"WindowCenter": None, "WindowWidth": 500},
        {"WindowWidth": 500},
        {"RescaleSlope": None, "RescaleIntercept": None},
        {"RescaleSlope": -1, "RescaleIntercept": None},
        {"RescaleSlope": -1},
        {"VOILUTSequence": [], "ModalityLUTSequence": []},
        {"VOILUTSequence": [item(LUTExplanation="empty")]},
        {"VOILUTFunction": None, "PixelPaddingValue": None, "PixelPresentation": None},
        {"SharedFunctionalGroupsSequence": [], "PerFrameFunctionalGroupsSequence": [item()]},
    ],
)
def test_empty_and_half_given_tags_count_as_absent(tmp_path, tags):
    path = write(tmp_path / "a.dcm", DEEP, **tags)
    np.testing.assert_allclose(grey(path), stretched(DEEP), atol=0.51)


def test_the_first_whole_window_is_taken(tmp_path):
    windows = {"WindowCenter": ["", "900", "1"], "WindowWidth": ["700", "800", "1"]}
    path = write(tmp_path / "a.dcm", DEEP, **windows)
    np.testing.assert_allclose(grey(path), window(DEEP, 900, 800), atol=0.51)
    path = write(tmp_path / "b.dcm", DEEP, WindowCenter=[900, 1], WindowWidth=800)
    np.testing.assert_allclose(grey(path), window(DEEP, 900, 800), atol=0.51)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", lambda x: window(x, 2000, 900)),
        ("", lambda x: window(x, 2000, 900)),
        ("LINEAR_EXACT", lambda x: np.clip((x - 2000) / 900 + 0.5, 0, 1) * 255),
        ("SIGMOID", lambda x: 255 / (1 + np.exp(-4 * (x - 2000) / 900))),
    ],
)
def test_window_functions(tmp_path, function, expected):
    tags = {"WindowCenter": 2000, "WindowWidth": 900, "VOILUTFunction": function}
    path = write(tmp_path / "a.dcm", DEEP, **tags)
    np.testing.assert_allclose(grey(path), expected(DEEP.astype(float)), atol=0.51)


def test_narrow_windows(tmp_path):
    threshold = write(tmp_path / "a.dcm", DEEP, WindowCenter=2000, WindowWidth=1)
    np.testing.assert_array_equal(grey(threshold), np.where(DEEP > 1999.5, 255, 0))
    tags = {"WindowCenter": 0, "WindowWidth": 0.001, "VOILUTFunction": "SIGMOID"}
    steep = write(tmp_path / "b.dcm", SIGNED, **tags)
    assert set(np.unique(grey(steep))) == {0, 128, 255}


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"WindowCenter": 1, "WindowWidth": 0}, "WindowWidth is 0.0: LINEAR needs at least 1"),
        ({"WindowCenter": 1, "WindowWidth": 0.5}, "WindowWidth is 0.5: LINEAR needs at least 1"),
        (
            {"WindowCenter": 1, "WindowWidth": -7, "VOILUTFunction": "SIGMOID"},
            "WindowWidth is -7.0: SIGMOID needs more than 0",
        ),
        (
            {"WindowCenter": 1, "WindowWidth": 0, "VOILUTFunction": "LINEAR_EXACT"},
            "WindowWidth is 0.0: LINEAR_EXACT needs more",
        ),
        (
            {"WindowCenter": 1, "WindowWidth": 9, "VOILUTFunction": "CUBIC"},
            "VOILUTFunction is 'CUBIC', possible are LINEAR, ",
        ),
        ({"WindowCenter": "inf", "WindowWidth": 9}, "WindowCenter and WindowWidth are inf and 9"),
        (
            {"RescaleSlope": 0, "RescaleIntercept": 5},
            "RescaleSlope is 0, which makes all pixels equal",
        ),
        (
            {"RescaleSlope": "nan", "RescaleIntercept": 5},
            "RescaleSlope is nan, which is not a finite number",
        ),
        (
            {"RescaleSlope": [1, 2], "RescaleIntercept": 5},
            r"RescaleSlope is \[1.0, 2.0\], which is not one number",
        ),
        ({"PixelPaddingValue": [1, 2]}, r"PixelPaddingValue is \[1, 2\], which is not one number"),
        (
            {"PixelPresentation": "MIXED"},
            "PixelPresentation is MIXED: colours of a supplemental palette are not shown",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(tmp_path, tags, reason):
    with pytest.raises(DataError, match=reason):
        originals.load(write(tmp_path / "a.dcm", DEEP, **tags), 1)


def test_enhanced_objects_keep_windows_and_slopes_in_functional_groups(tmp_path):
    rescale = item(PixelValueTransformationSequence=[item(RescaleSlope=-2, RescaleIntercept=9)])
    voi = item(FrameVOILUTSequence=[item(WindowCenter=-3000, WindowWidth=2000)])
    path = write(
        tmp_path / "a.dcm",
        DEEP,
        SharedFunctionalGroupsSequence=[rescale],
        PerFrameFunctionalGroupsSequence=[voi],
    )
    np.testing.assert_allclose(grey(path), window(DEEP * -2.0 + 9, -3000, 2000), atol=0.51)


PADDED = [
    (SIGNED, -32768, {"PixelPaddingValue": -32768}),
    (SIGNED, -2000, {"PixelPaddingValue": -2000}),
    (DEEP, 65535, {"PixelPaddingValue": 65535}),
    (DEEP, 0, {"PixelPaddingValue": 0}),
    (DEEP, 50_000, {"PixelPaddingValue": 60_000, "PixelPaddingRangeLimit": 40_000}),
    (DEEP, 50_000, {"PixelPaddingValue": 40_000, "PixelPaddingRangeLimit": 60_000}),
    (DEEP.astype(np.uint32), 65535, {"PixelPaddingValue": 65535}),
]


@pytest.mark.parametrize(("stored", "padding", "tags"), PADDED)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "view",
    [{}, {"RescaleSlope": -3, "RescaleIntercept": 7}, {"WindowCenter": 900, "WindowWidth": 700}],
)
def test_padding_is_black_and_leaves_the_range(tmp_path, stored, padding, tags, photometric, view):
    pixels = np.where(DISC, stored, padding).astype(stored.dtype)
    inside = stored[DISC] * float(view.get("RescaleSlope", 1)) + view.get("RescaleIntercept", 0)
    expected = np.zeros(stored.shape)
    expected[DISC] = window(inside, 900, 700) if "WindowWidth" in view else stretched(inside)
    if photometric == "MONOCHROME1":
        expected[DISC] = 255 - expected[DISC]
    path = write(tmp_path / "a.dcm", pixels, photometric, **tags, **view)
    np.testing.assert_allclose(grey(path), expected, atol=0.51)


@pytest.mark.parametrize(("stored", "padding"), [(SIGNED, -2000), (DEEP, 63536)])
def test_padding_values_written_with_the_wrong_sign(tmp_path, stored, padding):
    pixels = np.where(DISC, stored, padding).astype(stored.dtype)
    path = write(tmp_path / "a.dcm", pixels, PixelPaddingValue=padding)
    right, wrong = (b"SS", b"US") if padding < 0 else (b"US", b"SS")
    data, tag = path.read_bytes(), b"\x28\x00\x20\x01"
    assert data.count(tag + right) == 1
    path.write_bytes(data.replace(tag + right, tag + wrong))
    expected = np.zeros(stored.shape)
    expected[DISC] = stretched(stored[DISC])
    np.testing.assert_allclose(grey(path), expected, atol=0.51)


def test_padding_beyond_the_stored_bits(tmp_path):
    stored = (RAMP % 4096).astype(np.uint16)
    stored[20, 30] = 4095  # what 65535 is without its unused bits: a bright pixel, not padding
    pixels = np.where(DISC, stored, 65535).astype(np.uint16)
    result = grey(write(tmp_path / "a.dcm", pixels, BitsStored=12, PixelPaddingValue=65535))
    expected = np.zeros(stored.shape)
    expected[DISC] = stretched(stored[DISC])
    np.testing.assert_allclose(result, expected, atol=0.51)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_an_image_of_nothing_but_padding_is_black(tmp_path, photometric):
    nothing = np.full((40, 60), 9, np.uint16)
    path = write(tmp_path / "a.dcm", nothing, photometric, PixelPaddingValue=9)
    assert (grey(path) == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floating_point_pixels(tmp_path, dtype):
    values = (RAMP / 7 - 100).astype(dtype)
    path = write(tmp_path / "a.dcm", values)
    np.testing.assert_allclose(grey(path), stretched(values), atol=0.51)
    path = write(tmp_path / "b.dcm", values, WindowCenter=100, WindowWidth=300)
    np.testing.assert_allclose(grey(path), window(values, 100, 300), atol=0.51)
    keyword = ("Float" if dtype is np.float32 else "DoubleFloat") + "PixelPaddingValue"
    expected = np.zeros(values.shape)
    expected[DISC] = stretched(values[DISC])
    for padding in (-9999.0, float("nan")):
        pixels = np.where(DISC, values, padding).astype(dtype)
        path = write(tmp_path / "c.dcm", pixels, **{keyword: padding})
        np.testing.assert_allclose(grey(path), expected, atol=0.51)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_refused(tmp_path, odd):
    values = RAMP.astype(np.float32)
    values[3, 4] = odd
    with pytest.raises(DataError, match="has pixels that are NaN or infinite"):
        originals.load(write(tmp_path / "a.dcm", values), 1)


def test_tables_come_before_windows_and_slopes(tmp_path):
    table = lookup_table((np.arange(4100) % 256) * 256, 0, 16)
    path = write(
        tmp_path / "a.dcm",
        DEEP,
        ModalityLUTSequence=[table],
        RescaleSlope=5,
        RescaleIntercept=5,
        WindowCenter=30_000,
        WindowWidth=50_000,
    )
    np.testing.assert_allclose(grey(path), window(DEEP % 256 * 256.0, 30_000, 50_000), atol=0.51)
    voi = lookup_table(np.arange(4100), 0, 14)
    path = write(tmp_path / "b.dcm", DEEP, VOILUTSequence=[voi], WindowCenter=30, WindowWidth=50)
    np.testing.assert_allclose(grey(path), DEEP * (255 / (2**14 - 1)), atol=0.51)
