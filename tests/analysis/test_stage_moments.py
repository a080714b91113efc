import math

import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.analysis import cca, stage_moments
from transfer_jax.core.errors import AnalysisError


def images(seed, grids, channels):
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal((16, *grid, c)).astype(np.float32)
        for (name, grid), c in zip(grids.items(), channels, strict=True)
    }


GRIDS = {"conv1": (8, 8), "block2": (4, 4), "block3": (2, 2)}


def plain(x, y):
    """Canonical correlations in float64 by another way: the singular values of the product of
    orthonormal bases.
    """
    bases = [np.linalg.qr(z.astype(np.float64) - z.astype(np.float64).mean(0))[0] for z in (x, y)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def test_all_stages_in_one_pass_are_the_pairs_one_by_one():
    parts = [(images(i, GRIDS, (3, 4, 6)), images(10 + i, GRIDS, (3, 4, 6))) for i in range(2)]
    state = stage_moments.empty(*parts[0])
    for xs, ys in parts:
        state = stage_moments.update(state, xs, ys)
    assert {grid: (len(of.x), len(of.cross)) for grid, of in state.items()} == {
        (8, 8): (1, 1),
        (4, 4): (2, 3),
        (2, 2): (3, 5),
    }
    found = cca.finish_stages(state)
    assert len(found) == 9
    for (a, b), result in found.items():
        grid = min(GRIDS[a], GRIDS[b])
        x, y = (
            np.concatenate(
                [np.asarray(stage_moments.fold(jnp.asarray(side[name]), grid)) for side in sides]
            )
            for name, sides in ((a, [p[0] for p in parts]), (b, [p[1] for p in parts]))
        )
        np.testing.assert_allclose(result.coefficients, plain(x, y), atol=1e-5)
        assert result.n == 2 * 16 * grid[0] * grid[1]
    halves = [stage_moments.update(stage_moments.empty(*parts[0]), *part) for part in parts]
    joined = cca.finish_stages(stage_moments.merge(*halves))
    np.testing.assert_allclose(
        [joined[pair].mean for pair in found], [r.mean for r in found.values()], atol=1e-5
    )


def test_only_the_pairs_asked_for():
    xs = images(0, GRIDS, (3, 4, 6))
    state = stage_moments.update(stage_moments.empty(xs, xs, [(name, name) for name in xs]), xs, xs)
    assert all(
        result.mean == pytest.approx(1, abs=1e-5) for result in cca.finish_stages(state).values()
    )
    assert sum(len(of.cross) for of in state.values()) == 3


def test_nan_names_its_stage():
    xs, ys = images(0, GRIDS, (3, 4, 6)), images(1, GRIDS, (3, 4, 6))
    ys["block2"][0, 0, 0, 1] = np.nan
    with pytest.raises(AnalysisError, match=r"^block2: 1 of 4 channels"):
        cca.finish_stages(stage_moments.update(stage_moments.empty(xs, ys), xs, ys))


def test_folding_averages_windows_and_keeps_the_order_of_positions():
    x = jnp.arange(2 * 4 * 6 * 1, dtype=jnp.float32).reshape(2, 4, 6, 1)
    expected = [
        [np.asarray(x)[i, 2 * r : 2 * r + 2, 3 * c : 3 * c + 3].mean()]
        for i in range(2)
        for r in range(2)
        for c in range(2)
    ]
    np.testing.assert_allclose(stage_moments.fold(x, (2, 2)), expected)
    np.testing.assert_array_equal(stage_moments.fold(x, (4, 6)), x.reshape(-1, 1))
    np.testing.assert_allclose(stage_moments.fold(x, (1, 1)), x.mean((1, 2)))
    dense = jnp.ones((3, 5))
    assert stage_moments.fold(dense, (1, 1)) is dense


def adaptive(x, grid):
    """Adaptive average pooling, window by window."""
    (b, h, w, c), (rows, columns) = x.shape, grid
    found = np.zeros((b, rows, columns, c))
    for i in range(rows):
        for j in range(columns):
            top, bottom = math.floor(i * h / rows), math.ceil((i + 1) * h / rows)
            left, right = math.floor(j * w / columns), math.ceil((j + 1) * w / columns)
            found[:, i, j] = x[:, top:bottom, left:right].mean((1, 2))
    return found.reshape(-1, c)


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((35, 35), (17, 17)),
        ((17, 17), (8, 8)),
        ((35, 35), (8, 8)),
        ((3, 3), (2, 2)),
        ((6, 5), (2, 3)),
        ((8, 6), (4, 2)),
    ],
)
def test_windows_of_grids_that_do_not_divide_each_other(size, grid):
    x = np.random.default_rng(0).standard_normal((2, *size, 3))
    np.testing.assert_allclose(
        stage_moments.fold(jnp.asarray(x, jnp.float32), grid), adaptive(x, grid), atol=1e-6
    )


def test_stages_meet_on_the_lower_number_of_rows_and_of_columns():
    # Grids like Inception's 35, 17 and 8, and one with more rows but fewer columns than another.
    grids = {"mixed5": (9, 9), "mixed6": (4, 4), "tall": (7, 2)}
    xs, ys = images(0, grids, (3, 4, 2)), images(1, grids, (3, 4, 2))
    pairs = [("mixed5", "mixed6"), ("mixed6", "tall"), ("tall", "mixed5")]
    state = stage_moments.update(stage_moments.empty(xs, ys, pairs), xs, ys)
    assert set(state) == {(4, 4), (4, 2), (7, 2)}
    for (a, b), result in cca.finish_stages(state).items():
        grid = tuple(np.minimum(grids[a], grids[b]))
        np.testing.assert_allclose(
            result.coefficients, plain(adaptive(xs[a], grid), adaptive(ys[b], grid)), atol=1e-5
        )
        assert result.n == 16 * grid[0] * grid[1]


def test_images_that_do_not_count():
    xs, ys = images(0, GRIDS, (3, 4, 6)), images(1, GRIDS, (3, 4, 6))
    counted = np.arange(16) % 3 > 0
    for side in (xs, ys):
        for x in side.values():
            x[~counted] = np.nan
    pairs = [("conv1", "conv1"), ("block2", "conv1")]
    state = stage_moments.update(
        stage_moments.empty(xs, ys, pairs), xs, ys, counted.astype(np.float32)
    )
    for (a, b), result in cca.finish_stages(state).items():
        grid = min(GRIDS[a], GRIDS[b])
        np.testing.assert_allclose(
            result.coefficients,
            plain(adaptive(xs[a][counted], grid), adaptive(ys[b][counted], grid)),
            atol=1e-5,
        )
        assert result.n == counted.sum() * grid[0] * grid[1]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("conv1", "block4")], r"second network has no stage 'block4': did you mean 'block"),
        ([("x", "conv1")], "first network has no stage 'x': known: conv1, block2"),
        (
            [],
            "no pair of stages to compare: the first network has conv1, block2, block3, the second",
        ),
    ],
)
def test_pairs_that_cannot_be_compared(pairs, message):
    xs = images(0, GRIDS, (3, 4, 6))
    with pytest.raises(AnalysisError, match=message):
        stage_moments.empty(xs, xs, pairs)
