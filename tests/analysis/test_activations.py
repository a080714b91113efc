"""What comparisons do with activations of any type, scale and mean, and with what is no
activation.
"""

import logging

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from transfer_jax.analysis import batch_moments, cca, cka, layerwise, moments, variants
from transfer_jax.core.errors import AnalysisError

N = 1000
CUTS = ((0, 1), (1, 400), (400, N))


def related(seed=0):
    """Activations of 6 and 5 channels that share 4 dimensions, in float64."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((N, 4))
    return tuple(shared @ rng.standard_normal((4, d)) + rng.standard_normal((N, d)) for d in (6, 5))


def exact(x, y):
    """Canonical correlations in float64 by another way, see test_cca."""
    centred = []
    for z in (x, y):
        z = np.asarray(z, np.float64) - np.asarray(z, np.float64)[0]
        z = z / np.abs(z).max(0)
        centred.append(z - z.mean(0))
    bases = [np.linalg.qr(z)[0] for z in centred]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def measured(x, y):
    """Coefficients at once, in pieces, from merged pieces, and all on the device."""
    state, merged = cca.moments(6, 5), cca.moments(6, 5)
    for start, stop in CUTS:
        state = cca.update(state, x[start:stop], y[start:stop])
        merged = cca.merge(cca.update(cca.moments(6, 5), x[start:stop], y[start:stop]), merged)
    found = (
        cca.similarity(x, y),
        cca.finish(state),
        cca.finish(merged),
        cca.finish(state, device=True),
    )
    return [one.coefficients for one in found]


MIXED = 10.0 ** np.array([-200, -30, 0, 5, 30, 200])
FLOAT64 = {
    "far from zero": lambda z: 1e6 + 0.1 * z,
    "far from zero, relative to its deviation": lambda z: -1e9 + 1e-3 * z,
    "tiny": lambda z: 1e-20 * z,
    "denormal in float32": lambda z: 1e-42 * z,
    "below float32": lambda z: 1e-300 * z,
    "huge": lambda z: 1e20 * z,
    "beyond float32": lambda z: 1e300 * z,
    "tiny, and far from zero": lambda z: 1e-10 + 1e-18 * z,
    "channels of all scales": lambda z: z * MIXED[: z.shape[1]],
}


@pytest.mark.parametrize("kind", FLOAT64)
def test_float64_of_any_mean_and_scale(kind):
    x, y = (FLOAT64[kind](z) for z in related())
    for coefficients in measured(x, y):
        np.testing.assert_allclose(coefficients, exact(x, y), atol=1e-5)


@pytest.mark.parametrize("scale", [1e-41, 1e-30, 1e-20, 1e20, 1e30, 2e37])
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_float32_of_any_scale(scale, array):
    if scale == 1e-41 and array is jnp.asarray:
        scale = 1e-32  # devices take numbers below 1e-38 for 0
    x, y = (array((scale * z).astype(np.float32)) for z in related())
    for coefficients in measured(x, y):
        np.testing.assert_allclose(coefficients, exact(x, y), atol=1e-5)


@pytest.mark.parametrize(
    "convert",
    [
        lambda z: (1000 * z).astype(int),
        lambda z: (10 * z).astype(np.int8),
        lambda z: z > 0,
        lambda z: z.tolist(),
    ],
)
def test_whole_numbers_booleans_and_lists(convert):
    x, y = (convert(z) for z in related())
    np.testing.assert_allclose(cca.similarity(x, y).coefficients, exact(x, y), atol=1e-5)
    if not isinstance(x, list):
        np.testing.assert_allclose(
            cca.similarity(jnp.asarray(x), jnp.asarray(y)).coefficients, exact(x, y), atol=1e-5
        )


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
def test_low_precision(kind):
    x, y = (z.astype(kind) for z in related())
    np.testing.assert_allclose(cca.similarity(x, y).coefficients, exact(x, y), atol=1e-5)
    np.testing.assert_allclose(
        cca.similarity(jnp.asarray(x), jnp.asarray(y)).coefficients, exact(x, y), atol=1e-5
    )


def test_float64_is_kept_with_x64():
    with jax.enable_x64(True):
        x, y = (1e8 + z for z in related())
        np.testing.assert_allclose(cca.similarity(x, y).coefficients, exact(x, y), atol=1e-9)


def test_the_scale_of_a_side_changes_nothing_in_what_compares_its_channels():
    x, y = related()
    x = x * [1, 2, 3, 4, 5, 6]
    expected = [f(x, y) for f in (variants.pwcca, cka.unbiased)]
    expected += [
        f(cca.moments_of(x, y)) for f in (cka.from_moments, lambda s: variants.svcca(s, 0.9).mean)
    ]
    expected.append(cca.similarity(x, y, epsilon=1e-2).mean)
    for scale, shift in ((1e-150, 0), (1e-20, 0), (1e15, 0), (1e100, 0), (1e-2, 1e6)):
        moved = scale * x + shift
        values = [f(moved, y) for f in (variants.pwcca, cka.unbiased)]
        values += [
            f(cca.moments_of(moved, y))
            for f in (cka.from_moments, lambda s: variants.svcca(s, 0.9).mean)
        ]
        values.append(cca.similarity(moved, y, epsilon=1e-2).mean)
        values.append(cca.similarity(moved, y, epsilon=1e-2, device=True).mean)
        np.testing.assert_allclose(values, [*expected, expected[-1]], atol=1e-4)


def test_minibatches_of_any_scale_weigh_as_their_values_do():
    x, y = related()
    sizes = (1e-20, 1e15, 1.0)
    parts = [
        (scale * x[i : i + 100], y[i : i + 100])
        for i, scale in zip((0, 100, 200), sizes, strict=True)
    ]
    state = cka.start()
    for part in parts:
        state = cka.update(state, *part)
    # The second minibatch alone decides about the sums of both that hold x.
    alone = [cka.update(cka.start(), *parts[i]) for i in range(3)]
    yy = [float(one.yy.value()) * 4.0 ** (2 * int(one.y_exponent)) for one in alone]
    expected = cka.finish(alone[1]) * np.sqrt(yy[1] / sum(yy))
    assert cka.finish(state) == pytest.approx(expected, rel=1e-5)


def test_channels_of_zeros_rows_of_zeros_and_constants():
    x, y = related()
    x[:, 1], x[:, 3], x[7], y[7] = 0, 0.1, 0, 0
    x[7, 3] = 0.1
    found = cca.similarity(x, y)
    assert (found.rank_x, found.lost_x, found.caution) == (4, 0, "")
    np.testing.assert_allclose(found.coefficients[:4], exact(x[:, [0, 2, 4, 5]], y), atol=1e-5)


def test_what_float32_has_lost_already_is_told(caplog):
    x, y = (z.astype(np.float32) for z in related())
    far = (1e6 + 0.1 * x.astype(np.float64)).astype(np.float32)
    far[:, 2:] = x[:, 2:]
    with caplog.at_level(logging.WARNING):
        found = cca.similarity(far, y, names=("conv1", "block1"))
    assert (found.rank_x, found.lost_x, found.lost_y) == (4, 2, 0)
    assert "2 and 0 channels of the two sides vary by no more than the rounding" in found.caution
    assert "conv1 and block1: 2 and 0 channels" in caplog.text
    assert variants.svcca(cca.moments_of(far, y)).lost_x == 2
    assert cca.similarity(x, y).caution == ""
    # In float64 nothing is lost, and the same numbers are compared well.
    np.testing.assert_allclose(
        cca.similarity(far.astype(np.float64), y).coefficients, exact(far, y), atol=1e-5
    )


def test_a_comparison_of_networks_warns_of_a_stage_that_float32_has_lost(caplog):
    images = jnp.asarray(related()[0], jnp.float32)
    compare = layerwise.make_compare(
        lambda shift, images: {"a": shift + 0.1 * images},
        lambda shift, images: {"b": shift + images},
    )
    with caplog.at_level(logging.WARNING):
        compare(1e6, 0.0, [(images, jnp.ones(N))])
    assert "a of the first network and b of the second network: 6 and 0 channels" in caplog.text


RAW = (
    cca.similarity,
    variants.pwcca,
    cka.unbiased,
    lambda x, y: cka.update(cka.start(), x, y),
    lambda x, y: cca.update(cca.moments(6, 5), x, y),
)


@pytest.mark.parametrize("measure", RAW)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda x: x.reshape(10, 10, 10, 6),
            (
                r"x: activations are rows \[n, d\].*\(10, 10, 10, 6\).*fold the"
                r" positions.*x.reshape\(-1"
            ),
        ),
        (
            lambda x: x.reshape(100, 10, 6),
            r"shape is \(100, 10, 6\): keep the channels as the last axis",
        ),
        (lambda x: x[:, 0], r"shape is \(1000,\): of one channel give x\[:, None\]"),
        (lambda x: np.float32(1), r"shape is \(\)"),
        (lambda x: x[:, :0], r"no channels: their shape is \(1000, 0\)"),
        (lambda x: x + 1j, "real numbers, these are of the type complex128"),
        (lambda x: x.astype(str), "real numbers, these are of the type <U"),
        (lambda x: None, "real numbers, these are of the type object"),
        (lambda x: [[1.0, 2.0], [3.0]], "x: not an array .*rows .* of one length"),
        (lambda x: x[1:], r"do not correspond: x has 999 rows.* y.* 1000"),
    ],
)
def test_what_is_no_activation_is_an_error_with_advice(measure, wrong, message):
    x, y = related()
    with pytest.raises(AnalysisError, match=message):
        measure(wrong(x), y)


@pytest.mark.parametrize("measure", [cca.similarity, variants.pwcca])
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_transposed_activations_are_refused_before_anything_is_summed(measure, array, monkeypatch):
    monkeypatch.setattr(moments, "empty", lambda *args, **kwargs: pytest.fail("moments were made"))
    x, y = (array(z.T) for z in related())
    with pytest.raises(
        AnalysisError, match=r"do not correspond: x has 6 rows and y 5\. Are x and y transposed"
    ):
        measure(x, y)
    with pytest.raises(
        AnalysisError,
        match=r"6 positions of 1000 and 1000 channels.*Are x and y transposed\? .* give x\.T",
    ):
        measure(x, x)
    with pytest.raises(AnalysisError, match=r"6 rows and y 1000\. Are x and y transposed"):
        measure(x, array(related()[1]))


def test_a_stream_of_transposed_activations():
    x, y = related()
    with pytest.raises(
        AnalysisError,
        match=r"x: 1000 channels, but the moments were made for 6\. Is x transposed\?",
    ):
        cca.update(cca.moments(6, 5), x.T, y.T)


@pytest.mark.parametrize(
    "measure", [*RAW[:3], lambda x, y: cca.finish(cca.update(cca.moments(6, 5), x, y))]
)
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_named(measure, kind, bad):
    x, y = (z.astype(kind) for z in related())
    y[17, 3] = bad
    with pytest.raises(AnalysisError, match=r"^y: .*NaN, infinity or values too large"):
        measure(x, y)


def test_rows_that_do_not_count_may_hold_anything_in_float64():
    x, y = (1e6 + 0.1 * z for z in related())
    counted = np.random.default_rng(1).random(N) < 0.5
    filled, other = x.copy(), y.copy()
    filled[~counted], other[~counted] = np.nan, 1e300
    state = cca.moments(6, 5)
    for start, stop in CUTS:
        state = batch_moments.update(
            state, {"x": filled[start:stop]}, {"y": other[start:stop]}, counted[start:stop]
        )
    np.testing.assert_allclose(
        cca.finish(state).coefficients, exact(x[counted], y[counted]), atol=1e-5
    )


def test_channels_there_must_be():
    with pytest.raises(AnalysisError, match="y: 0 channels"):
        cca.moments(3, 0)


@pytest.mark.parametrize("exponent", [-42, -39, -38, -37, 37.8])
def test_float32_at_the_ends_of_its_range(exponent):
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(2000, 3))
    x, y = (np.hstack([shared, rng.normal(size=(2000, 2))]) for _ in range(2))
    expected = cca.similarity(x, y).mean
    with np.errstate(over="raise"):
        scaled = (x / np.abs(x).max() * 10.0**exponent).astype(np.float32)
    tolerance = 0.2 if exponent < -40 else 2e-3  # denormal numbers have few digits
    assert cca.similarity(scaled, y).mean == pytest.approx(expected, abs=tolerance)


def test_masked_arrays_are_refused_and_long_doubles_read():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 3)), rng.normal(size=(100, 2))
    with pytest.raises(AnalysisError, match="x: masked arrays are not compared"):
        cca.similarity(np.ma.masked_array(x), y)
    long = cca.similarity(x.astype(np.longdouble), y)
    assert long.mean == pytest.approx(cca.similarity(x, y).mean, abs=1e-6)
