import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.analysis import batch_moments, cca, moments
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError


def rows(n, d1=6, d2=4, seed=0, offset=5.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d1)) @ rng.standard_normal((d1, d1)) + offset
    return x.astype(np.float32), (x[:, :1] + rng.standard_normal((n, d2))).astype(np.float32)


def of(*batches):
    state = cca.moments(6, 4)
    for batch in batches:
        state = cca.update(state, *batch)
    return state


def check(state, x, y, rtol=1e-5):
    x, y = x.astype(np.float64), y.astype(np.float64)
    cx, cy = x - x.mean(0), y - y.mean(0)
    assert state.positions() == len(x)
    for got, expected in (
        (state.x["x"].mean, x.mean(0)),
        (state.x["x"].products, cx.T @ cx),
        (state.y["y"].products, cy.T @ cy),
        (state.cross["x", "y"], cx.T @ cy),
    ):
        np.testing.assert_allclose(
            got.value(), expected, rtol=0, atol=rtol * np.abs(expected).max()
        )


@pytest.mark.parametrize("cuts", [[], [7, 8, 500], [500, 500, 501]])
def test_batches_give_what_all_rows_give(cuts):
    x, y = rows(1001)
    state = of(*zip(np.split(x, cuts), np.split(y, cuts), strict=True))
    check(state, x, y)
    np.testing.assert_allclose(
        cca.finish(state).coefficients, cca.similarity(x, y).coefficients, atol=1e-5
    )


def test_in_float64_batches_agree_to_its_precision():
    with jax.enable_x64(True):
        x, y = rows(1001)
        state = of(*zip(np.split(x, 13), np.split(y, 13), strict=True))
        check(state, x, y, rtol=1e-13)
        assert state.n.high.dtype == np.float64


def test_merging_is_associative_and_commutative():
    a, b, c = (of(rows(n, seed=n, offset=n / 50)) for n in (250, 4, 1000))
    x, y = (
        np.concatenate(side)
        for side in zip(*(rows(n, seed=n, offset=n / 50) for n in (250, 4, 1000)), strict=True)
    )
    for state in (
        cca.merge(cca.merge(a, b), c),
        cca.merge(a, cca.merge(b, c)),
        cca.merge(c, cca.merge(b, a)),
        cca.merge(cca.merge(of(), a), cca.merge(b, c)),
    ):
        check(state, x, y)
    assert (
        cca.merge(of(), of()).positions() == 0
        and np.isfinite(cca.merge(of(), of()).x["x"].mean.value()).all()
    )


def test_counting_goes_on_where_float32_stops():
    state = of(rows(3))
    large = state._replace(n=moments.Total(jnp.float32(2.0**24), jnp.float32(0)))
    assert cca.merge(large, state).positions() == 2**24 + 3


def test_many_updates_lose_nothing():
    x, y = rows(4000, offset=300.0)
    state = of(*((x[i : i + 4], y[i : i + 4]) for i in range(0, 4000, 4)))
    check(state, x, y, rtol=1e-6)


@pytest.mark.parametrize("cuts", [[1], [4096], [8191], [3, 1000], list(range(1, 8192, 512))])
@pytest.mark.parametrize("marked", [False, True])
def test_odd_pieces_far_from_zero_are_as_good_as_even_ones(cuts, marked):
    # A mean of 1e4 has a rounding error of a tenth of these deviations, and a compiled program may
    # compute it twice, with two errors.
    rng = np.random.default_rng(0)
    x, y = ((1e4 + 0.01 * rng.standard_normal((8192, d))).astype(np.float32) for d in (6, 4))
    state = cca.moments(6, 4)
    for part in np.split(np.arange(8192), cuts):
        counted = np.ones(len(part), np.float32) if marked else None
        state = batch_moments.update(state, {"x": x[part]}, {"y": y[part]}, counted)
    check(state, x, y)


def test_units_of_pieces_are_joined_in_any_order():
    x, y = rows(300)
    scales = np.repeat(np.float32([1e-25, 1e25, 1e-30]), 100)[:, None]
    x = x * scales
    pieces = [of((x[part], y[part])) for part in np.split(np.arange(300), 3)]
    for first, second, third in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        state = cca.merge(cca.merge(pieces[first], pieces[second]), cca.merge(of(), pieces[third]))
        expected = np.cov(x.astype(np.float64), rowvar=False) * 299
        unit = np.ldexp(1.0, state.x["x"].exponent)
        np.testing.assert_allclose(
            state.x["x"].products.value() * np.outer(unit, unit),
            expected,
            rtol=1e-5,
            atol=1e-6 * expected.max(),
        )


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16])
def test_low_precision_activations_are_summed_in_float32(kind):
    x, y = (jnp.asarray(z, kind) for z in rows(512))
    check(of((x, y)), np.asarray(x, np.float32), np.asarray(y, np.float32))


def test_no_rows_change_nothing():
    x, y = rows(50)
    check(of((x, y), (x[:0], y[:0])), x, y)


def test_rows_over_eight_devices():
    mesh = meshes.create()
    assert mesh.size == 8
    x, y = rows(1600)
    state = cca.moments(6, 4, mesh)
    before = batch_moments._update._cache_size()
    for part in np.split(np.arange(1600), 4):
        batch = meshes.put_batch(mesh, {"x": x[part], "y": y[part]})
        assert len(batch["x"].addressable_shards) == 8 and batch["x"].addressable_shards[
            0
        ].data.shape == (50, 6)
        state = cca.update(state, batch["x"], batch["y"])
    assert batch_moments._update._cache_size() - before == 1
    check(state, x, y)
    alone = of(*((x[part], y[part]) for part in np.split(np.arange(1600), 4)))
    for got, expected in zip(state.x["x"][:2], alone.x["x"][:2], strict=True):  # means and products
        np.testing.assert_allclose(got.value(), expected.value(), rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(
        cca.finish(state).coefficients, cca.finish(alone).coefficients, atol=1e-5
    )


def test_one_compiled_update_whose_memory_does_not_grow():
    x, y = rows(64, 6, 4)
    state, sizes = of((x, y)), set()
    before = batch_moments._update._cache_size()
    for _ in range(5):
        state = cca.update(state, x, y)
        memory = batch_moments._update.lower(state, {"x": x}, {"y": y}).compile().memory_analysis()
        sizes.add((memory.temp_size_in_bytes, memory.output_size_in_bytes))
    assert batch_moments._update._cache_size() == before and len(sizes) == 1
    assert state.positions() == 6 * 64


@pytest.mark.parametrize("kind", [bool, np.float32])
def test_rows_that_do_not_count_change_nothing_whatever_they_hold(kind):
    x, y = rows(300)
    counted = np.random.default_rng(0).random(300) < 0.6
    filled, other = x.copy(), y.copy()
    filled[~counted], other[~counted] = np.nan, np.inf
    state = cca.moments(6, 4)
    for part in np.split(np.arange(300), 3):
        state = batch_moments.update(
            state, {"x": filled[part]}, {"y": other[part]}, counted[part].astype(kind)
        )
    check(state, x[counted], y[counted])
    after = batch_moments.update(state, {"x": filled}, {"y": other}, np.zeros(300, kind))
    jax.tree.map(np.testing.assert_array_equal, after, state)
    nothing = batch_moments.update(
        cca.moments(6, 4), {"x": filled}, {"y": other}, np.zeros(300, kind)
    )
    assert nothing.positions() == 0
    check(cca.merge(nothing, state), x[counted], y[counted])


def test_the_marks_of_rows_correspond_to_them():
    x, y = rows(30)
    with pytest.raises(AnalysisError, match="counted has 29 rows"):
        batch_moments.update(cca.moments(6, 4), {"x": x}, {"y": y}, np.ones(29, bool))


def test_counted_rows_over_eight_devices():
    mesh = meshes.create()
    x, y = rows(800)
    counted = np.arange(800) < 490  # whole devices without a counted row
    x[~counted] = np.nan
    batch = meshes.put_batch(mesh, {"x": x, "y": y, "counted": counted})
    state = batch_moments.update(
        cca.moments(6, 4, mesh), {"x": batch["x"]}, {"y": batch["y"]}, batch["counted"]
    )
    check(state, x[counted], y[counted])
