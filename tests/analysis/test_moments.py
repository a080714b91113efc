import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.analysis import cca, moments, stage_moments
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
        np.testing.assert_allclose(got.value(), expected, rtol=0, atol=rtol * np.abs(expected).max())


@pytest.mark.parametrize("cuts", [[], [7, 8, 500], [500, 500, 501]])
def test_batches_give_what_all_rows_give(cuts):
    x, y = rows(1001)
    state = of(*zip(np.split(x, cuts), np.split(y, cuts), strict=True))
    check(state, x, y)
    np.testing.assert_allclose(cca.finish(state).coefficients, cca.similarity(x, y).coefficients, atol=1e-5)


def test_in_float64_batches_agree_to_its_precision():
    with jax.enable_x64(True):
        x, y = rows(1001)
        state = of(*zip(np.split(x, 13), np.split(y, 13), strict=True))
        check(state, x, y, rtol=1e-13)
        assert state.n.high.dtype == np.float64


def test_merging_is_associative_and_commutative():
    a, b, c = (of(rows(n, seed=n, offset=n / 50)) for n in (250, 4, 1000))
    x, y = (np.concatenate(side) for side in zip(*(rows(n, seed=n, offset=n / 50) for n in (250, 4, 1000)), strict=True))
    for state in (
        cca.merge(cca.merge(a, b), c),
        cca.merge(a, cca.merge(b, c)),
        cca.merge(c, cca.merge(b, a)),
        cca.merge(cca.merge(of(), a), cca.merge(b, c)),
    ):
        check(state, x, y)
    assert cca.merge(of(), of()).positions() == 0 and np.isfinite(cca.merge(of(), of()).x["x"].mean.value()).all()


def test_counting_goes_on_where_float32_stops():
    state = of(rows(3))
    large = state._replace(n=moments.Total(jnp.float32(2.0**24), jnp.float32(0)))
    assert cca.merge(large, state).positions() == 2**24 + 3


def test_many_updates_lose_nothing():
    x, y = rows(4000, offset=300.0)
    state = of(*((x[i : i + 4], y[i : i + 4]) for i in range(0, 4000, 4)))
    check(state, x, y, rtol=1e-6)


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
    before = moments._update._cache_size()
    for part in np.split(np.arange(1600), 4):
        batch = meshes.put_batch(mesh, {"x": x[part], "y": y[part]})
        assert len(batch["x"].addressable_shards) == 8 and batch["x"].addressable_shards[0].data.shape == (50, 6)
        state = cca.update(state, batch["x"], batch["y"])
    assert moments._update._cache_size() - before == 1
    check(state, x, y)
    alone = of(*((x[part], y[part]) for part in np.split(np.arange(1600), 4)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a.value(), b.value(), rtol=1e-5, atol=1e-2), state.x["x"], alone.x["x"], is_leaf=_is_total)
    np.testing.assert_allclose(cca.finish(state).coefficients, cca.finish(alone).coefficients, atol=1e-5)


def _is_total(leaf):
    return isinstance(leaf, moments.Total)


def test_one_compiled_update_whose_memory_does_not_grow():
    x, y = rows(64, 6, 4)
    state, sizes = of((x, y)), set()
    before = moments._update._cache_size()
    for _ in range(5):
        state = cca.update(state, x, y)
        memory = moments._update.lower(state, {"x": x}, {"y": y}).compile().memory_analysis()
        sizes.add((memory.temp_size_in_bytes, memory.output_size_in_bytes))
    assert moments._update._cache_size() == before and len(sizes) == 1
    assert state.positions() == 6 * 64


def images(seed, grids, channels):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal((16, *grid, c)).astype(np.float32) for (name, grid), c in zip(grids.items(), channels, strict=True)}


GRIDS = {"conv1": (8, 8), "block2": (4, 4), "block3": (2, 2)}


def test_all_stages_in_one_pass_are_the_pairs_one_by_one():
    parts = [(images(i, GRIDS, (3, 4, 6)), images(10 + i, GRIDS, (3, 4, 6))) for i in range(2)]
    state = stage_moments.empty(*parts[0])
    for xs, ys in parts:
        state = stage_moments.update(state, xs, ys)
    assert {grid: (len(of.x), len(of.cross)) for grid, of in state.items()} == {(8, 8): (1, 1), (4, 4): (2, 3), (2, 2): (3, 5)}
    found = cca.finish_stages(state)
    assert len(found) == 9
    for (a, b), result in found.items():
        grid = min(GRIDS[a], GRIDS[b])
        x, y = (
            np.concatenate([np.asarray(stage_moments.fold(jnp.asarray(side[name]), grid)) for side in sides])
            for name, sides in ((a, [p[0] for p in parts]), (b, [p[1] for p in parts]))
        )
        bases = [np.linalg.qr(z.astype(np.float64) - z.astype(np.float64).mean(0))[0] for z in (x, y)]
        np.testing.assert_allclose(result.coefficients, np.linalg.svd(bases[0].T @ bases[1], compute_uv=False), atol=1e-5)
        assert result.n == 2 * 16 * grid[0] * grid[1]
    halves = [stage_moments.update(stage_moments.empty(*parts[0]), *part) for part in parts]
    joined = cca.finish_stages(stage_moments.merge(*halves))
    np.testing.assert_allclose([joined[pair].mean for pair in found], [r.mean for r in found.values()], atol=1e-5)


def test_only_the_pairs_asked_for():
    xs = images(0, GRIDS, (3, 4, 6))
    state = stage_moments.update(stage_moments.empty(xs, xs, [(name, name) for name in xs]), xs, xs)
    assert all(result.mean == pytest.approx(1, abs=1e-5) for result in cca.finish_stages(state).values())
    assert sum(len(of.cross) for of in state.values()) == 3


def test_nan_names_its_stage():
    xs, ys = images(0, GRIDS, (3, 4, 6)), images(1, GRIDS, (3, 4, 6))
    ys["block2"][0, 0, 0, 1] = np.nan
    with pytest.raises(AnalysisError, match=r"^block2: 1 of 4 channels"):
        cca.finish_stages(stage_moments.update(stage_moments.empty(xs, ys), xs, ys))


def test_folding_averages_windows_and_keeps_the_order_of_positions():
    x = jnp.arange(2 * 4 * 6 * 1, dtype=jnp.float32).reshape(2, 4, 6, 1)
    expected = [[np.asarray(x)[i, 2 * r : 2 * r + 2, 3 * c : 3 * c + 3].mean()] for i in range(2) for r in range(2) for c in range(2)]
    np.testing.assert_allclose(stage_moments.fold(x, (2, 2)), expected)
    np.testing.assert_array_equal(stage_moments.fold(x, (4, 6)), x.reshape(-1, 1))
    np.testing.assert_allclose(stage_moments.fold(x, (1, 1)), x.mean((1, 2)))
    dense = jnp.ones((3, 5))
    assert stage_moments.fold(dense, (1, 1)) is dense


def test_grids_that_do_not_fit_name_their_stages():
    xs, ys = {"mixed5": jnp.ones((2, 35, 35, 3))}, {"mixed6": jnp.ones((2, 17, 17, 3))}
    with pytest.raises(AnalysisError, match=r"mixed5 has \(35, 35\) positions and mixed6 \(17, 17\)"):
        stage_moments.empty(xs, ys)
    with pytest.raises(AnalysisError, match="mixed5"):
        stage_moments.fold(xs["mixed5"], (17, 17), "mixed5")
