"""Activations that nobody should compare, and numbers that float32 does not hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.analysis import cca, chance, cka, variants
from transfer_jax.core.errors import AnalysisError


def related(n=2000, d1=6, d2=5, seed=0):
    """Float64 activations with something in common."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4))
    x, y = (z @ rng.normal(size=(4, d)) + 0.5 * rng.normal(size=(n, d)) for d in (d1, d2))
    return x / x.std(0), y / y.std(0)


def coefficients(x, y):
    """Canonical correlations by NumPy in float64."""
    u, v = (np.linalg.svd(a - a.mean(0), full_matrices=False)[0] for a in (x, y))
    return np.linalg.svd(u.T @ v, compute_uv=False)


X, Y = related()
WANTED = coefficients(X, Y)
COMPARE = {"cca": cca.similarity, "pwcca": variants.pwcca, "cka": cka.unbiased}


@pytest.mark.parametrize("compare", COMPARE.values(), ids=COMPARE)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((10, 4, 4, 3)), r"x is of shape \(10, 4, 4, 3\): give rows.*x.reshape\(-1, 3\)"),
        (np.zeros(10), r"x is of shape \(10,\): give \[positions, channels\].*x\[:, None\]"),
        (np.zeros((10, 0)), "x has no channels"),
        (np.zeros((10, 3), complex), "x holds complex128: activations are real numbers"),
        ([["a", "b"]] * 10, "x holds <U1: activations are real numbers"),
        ([[1.0, 2.0], [3.0]], "x is not an array"),
        (np.zeros((9, 3)), "do not correspond: x has 9 rows and y 10"),
        (np.zeros((7, 5)), "both have 5 columns: are they transposed"),
    ],
)
def test_what_is_no_table_of_activations_is_an_error(compare, x, message):
    with pytest.raises(AnalysisError, match=message):
        compare(x, Y[:10])


@pytest.mark.parametrize("compare", [cca.similarity, variants.pwcca])
def test_a_transposed_table_is_suspected_before_anything_large_is_made(compare, monkeypatch):
    monkeypatch.setattr(cca, "moments", lambda *sizes: pytest.fail("moments were made"))
    wide = np.zeros((64, 40_000), np.float32)
    with pytest.raises(AnalysisError, match=r"64 positions of 40000 .* transpose: x\.T"):
        compare(wide, wide)
    with pytest.raises(AnalysisError) as error:
        compare(X[:6], Y[:6])  # too few, but not suspicious
    assert "transpose" not in str(error.value)


def test_a_stream_suspects_a_transposed_batch():
    state = cca.moments(6, 5)
    with pytest.raises(AnalysisError, match=r"x: 2000 channels, .* made for 6; it has 6 rows: is it"):
        cca.update(state, X.T, Y)


@pytest.mark.parametrize("convert", [np.asarray, jnp.asarray, np.ndarray.tolist])
def test_whole_numbers_and_lists_are_activations(convert):
    x, y = (np.round(10 * side).astype(np.int32) for side in (X, Y))
    assert cca.similarity(convert(x), convert(y)).mean == pytest.approx(coefficients(x, y).mean(), abs=1e-4)
    alive = (X > 0, Y > 0)
    expected = coefficients(*(side.astype(float) for side in alive)).mean()
    assert cca.similarity(*map(convert, alive)).mean == pytest.approx(expected, abs=1e-4)


SCALES = [1e-300, 1e-30, 1e-20, 1.0, 1e20, 1e30, 1e300]
SHIFTS = [(1e4, 1e-2), (1e4, 3e-3), (1e6, 0.1), (-1e9, 1.0), (1e12, 1e-2)]


@pytest.mark.parametrize("cuts", [[], [1], [1, 2, 3, 700]])
@pytest.mark.parametrize(("shift", "scale"), [*((0.0, scale) for scale in SCALES), *SHIFTS], ids="{:g}".format)
def test_float64_keeps_what_float32_would_lose(shift, scale, cuts):
    x, y = shift + scale * X, shift + scale * Y
    state = cca.moments(6, 5)
    for batch in zip(np.split(x, cuts), np.split(y, cuts), strict=True):
        state = cca.update(state, *batch)
    result = cca.finish(state)
    expected = coefficients(*(side - shift for side in (x, y)))
    np.testing.assert_allclose(result.coefficients, expected, atol=2e-4)
    assert (result.rank_x, result.rank_y, result.unresolved_x) == (6, 5, 0)


@pytest.mark.parametrize("scale", [1e-30, 1e-25, 1e25, 1e37])
def test_float32_of_any_size(scale):
    x, y = (jnp.asarray((scale * side).astype(np.float32)) for side in (X, Y))
    np.testing.assert_allclose(cca.similarity(x, y).coefficients, WANTED, atol=1e-4)
    assert cka.unbiased(x, y) == pytest.approx(cka.unbiased(X, Y), abs=1e-4)


@pytest.mark.parametrize("cuts", [[], [1], [1, 8192], [4096]])
def test_odd_pieces_far_from_zero_agree_with_all_rows(cuts):
    rng = np.random.default_rng(3)
    x, y = related(8192)
    x, y = ((1e4 + 1e-2 * side + 0 * rng.normal()).astype(np.float32) for side in (x, y))
    state = cca.moments(6, 5)
    for batch in zip(np.split(x, cuts), np.split(y, cuts), strict=True):
        state = cca.update(state, *batch)
    own = state.x["x"]
    centred = x.astype(np.float64) - x.astype(np.float64).mean(0)
    products = centred.T @ centred
    np.testing.assert_allclose(own.products_of_rows(), products, rtol=0, atol=3e-5 * np.abs(products).max())
    expected = coefficients(x.astype(np.float64), y.astype(np.float64))
    np.testing.assert_allclose(cca.finish(state).coefficients, expected, atol=1e-4)


def test_states_of_other_frames_merge():
    parts = [(1e5 + 1e-1 * X[:900], 1e-12 * Y[:900]), (1e5 + 1e-1 * X[900:], 1e-12 * Y[900:])]
    far = [cca.update(cca.moments(6, 5), *part) for part in parts]
    # One state that began in another frame: by rows of another size.
    other = cca.update(cca.moments(6, 5), 1e3 * X[:1], 1e3 * Y[:1])
    exponents = {int(state.y["y"].frame.exponent) for state in (*far, other)}
    assert len(exponents) > 1
    merged = cca.finish(cca.merge(cca.merge(cca.moments(6, 5), far[0]), far[1]))
    np.testing.assert_allclose(merged.coefficients, WANTED, atol=1e-4)
    assert cca.merge(other, far[0]).positions() == 901


def test_what_float32_has_lost_is_said(caplog):
    x = (1e4 + 1e-3 * X).astype(np.float32)  # four roundings of the mean are 5e-3
    result = cca.similarity(x, Y.astype(np.float32))
    assert (result.unresolved_x, result.unresolved_y, result.rank_x) == (6, 0, 0)
    assert "x: 6 channels vary by less than four roundings" in caplog.text
    caplog.clear()
    kept = cca.similarity(1e4 + 1e-3 * X, Y)
    assert kept.unresolved_x == 0
    assert kept.mean == pytest.approx(WANTED.mean(), abs=1e-3)
    assert not caplog.text
    half = jnp.asarray(100 + X, jnp.bfloat16)
    assert cca.similarity(half, jnp.asarray(Y, jnp.bfloat16)).unresolved_x == 6


def test_a_dead_channel_is_not_a_lost_one():
    x = np.concatenate([X, np.full((2000, 1), 1e6)], axis=1).astype(np.float32)
    result = cca.similarity(x, Y.astype(np.float32))
    assert (result.rank_x, result.unresolved_x) == (6, 0)


def test_cka_of_float64_far_from_zero():
    wanted = cka.unbiased(X, Y)
    assert cka.unbiased(1e6 + 0.1 * X, 1e-20 * Y) == pytest.approx(wanted, abs=1e-4)
    state = cka.start()
    for part in np.split(np.arange(2000), 4):
        state = cka.update(state, 1e6 + 0.1 * X[part], Y[part])
    assert cka.finish(state) == pytest.approx(wanted, abs=1e-2)
    with pytest.raises(AnalysisError, match="do not fit float32"):
        cka.unbiased(1e-60 * X, Y)


def test_with_float64_enabled_nothing_is_converted():
    with jax.enable_x64(True):
        result = cca.similarity(1e6 + 1e-2 * X, Y)
        assert result.mean == pytest.approx(WANTED.mean(), abs=1e-7)


def simulated(n, few, many, draws=4000):
    """Mean canonical correlation of independent data, with exact moments taken out as control variate."""
    rng, free = np.random.default_rng(n + few + many), n - 1

    def root(degrees):
        lower = np.zeros((draws, few, few))
        for i in range(few):
            lower[:, i, i] = np.sqrt(rng.chisquare(degrees - i, draws))
            lower[:, i, :i] = rng.normal(size=(draws, i))
        return lower

    between, within = (lower @ lower.transpose(0, 2, 1) for lower in map(root, (many, free - many)))
    inverse = np.linalg.inv(np.linalg.cholesky(between + within))
    squares = np.linalg.eigvalsh(inverse @ between @ inverse.transpose(0, 2, 1)).clip(0, 1)
    mean, square = np.sqrt(squares).mean(1), squares.mean(1)
    slope = np.cov(mean, square)[0, 1] / square.var()
    return float((mean - slope * (square - many / free)).mean())


@pytest.mark.parametrize(
    "size",
    [(1000, 2, 2), (400, 2, 7), (60, 3, 3), (1000, 4, 6), (9, 4, 4), (30, 5, 8), (500, 8, 8),
     (500, 9, 9), (100, 9, 20), (300, 16, 16), (40, 13, 20), (600, 24, 64)],
)  # fmt: skip
def test_the_level_by_chance_is_that_of_independent_data(size):
    assert chance.mean_coefficient(*size) == pytest.approx(simulated(*size), rel=5e-3)


def test_the_level_by_chance_of_one_channel_is_exact():
    # One channel against one: the mean of |r| is that of a beta(1/2, (n - 2) / 2) variable's root.
    assert chance.mean_coefficient(3, 1, 1) == pytest.approx(2 / np.pi)
    assert chance.mean_coefficient(10, 0, 3) == 0
    assert chance.mean_coefficient(10, 3, 9) == 1
