import jax
import numpy as np
import pytest
from golden import reference

from transfer_jax.analysis import arithmetic, cca, chance, variants
from transfer_jax.core.errors import AnalysisError

GOLDEN = reference.read("svcca")


def plain(x, y):
    """Canonical correlations in float64 by another way: the singular values of the product of
    orthonormal bases.
    """
    q = [np.linalg.qr(z - z.mean(0))[0] for z in (x.astype(np.float64), y.astype(np.float64))]
    return np.linalg.svd(q[0].T @ q[1], compute_uv=False)


def related(n, d1, d2, seed=0, shared=4):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, shared))
    return tuple(
        (z @ rng.standard_normal((shared, d)) + rng.standard_normal((n, d))).astype(np.float32)
        for d in (d1, d2)
    )


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: f"{g['case']['seed']}-{g['epsilon']}")
def test_google_svcca(golden, x64):
    # Its largest case, 12,544 positions of 256 channels, is also where float32 is held to NumPy's
    # float64.
    x, y = reference.activations(**golden["case"])
    tolerance = 1e-8 if x64 else 1e-4
    with jax.enable_x64(x64):
        found = cca.similarity(x, y, golden["epsilon"], golden["threshold"])
    count = len(golden["coefficients"])
    np.testing.assert_allclose(
        found.coefficients[:count], golden["coefficients"], rtol=0, atol=tolerance
    )
    np.testing.assert_allclose(
        [found.mean, found.mean_trimmed],
        [golden["mean_all"], golden["mean_trimmed"]],
        rtol=0,
        atol=tolerance,
    )
    assert found.coefficients.shape == (min(x.shape[1], y.shape[1]),) and found.n == len(x)


@pytest.mark.parametrize("device", [False, True])
@pytest.mark.parametrize(("d1", "d2"), [(5, 12), (12, 5), (1, 7)])
def test_any_widths_on_the_host_and_on_the_device(d1, d2, device):
    x, y = related(300, d1, d2)
    found = cca.finish(cca.update(cca.moments(d1, d2), x, y), device=device)
    np.testing.assert_allclose(found.coefficients, plain(x, y), atol=1e-4 if device else 1e-5)
    assert (found.rank_x, found.rank_y) == (d1, d2)


def test_on_the_device_no_product_comes_to_the_host(monkeypatch):
    state, fetched, value = (
        cca.update(cca.moments(5, 12), *related(300, 5, 12)),
        [],
        arithmetic.Total.value,
    )
    monkeypatch.setattr(
        arithmetic.Total, "value", lambda self: fetched.append(self.high.shape) or value(self)
    )
    found = cca.finish(state, device=True)
    assert set(fetched) == {()}
    np.testing.assert_allclose(found.coefficients, cca.finish(state).coefficients, atol=1e-4)
    assert (12, 12) in fetched


def test_an_invertible_map_of_a_side_changes_nothing():
    rng = np.random.default_rng(1)
    x, y = related(2000, 10, 10)
    turn = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    mapped = (x @ (turn * np.linspace(0.5, 5, 10)) @ turn + 3).astype(np.float32)
    np.testing.assert_allclose(
        cca.similarity(mapped, y).coefficients, cca.similarity(x, y).coefficients, atol=1e-4
    )
    same = cca.similarity(x, mapped)
    assert (
        same.coefficients.min() > 1 - 1e-5
        and same.coefficients.max() <= 1
        and same.mean == pytest.approx(1, abs=1e-5)
    )


def test_sides_and_the_order_of_positions_and_channels_do_not_matter():
    rng = np.random.default_rng(2)
    x, y = related(1500, 9, 6)
    found, swapped = cca.similarity(x, y), cca.similarity(y, x)
    np.testing.assert_allclose(swapped.coefficients, found.coefficients, atol=1e-6)
    assert (swapped.rank_x, swapped.rank_y) == (6, 9)
    rows = rng.permutation(1500)
    shuffled = cca.similarity(x[rows][:, rng.permutation(9)], y[rows][:, rng.permutation(6)])
    np.testing.assert_allclose(shuffled.coefficients, found.coefficients, atol=1e-6)


# What google/svcca gives for one draw of Gaussians of 64 channels.
@pytest.mark.parametrize(
    ("n", "value"),
    [(10_000, 0.0687), (9_408, 0.0705), (12_544, 0.0599), (9_996, 0.0668), (10_192, 0.0674)],
)
def test_chance_is_what_independent_gaussians_give(n, value):
    assert chance.mean_coefficient(n, 64, 64) == pytest.approx(value, rel=0.02)


@pytest.mark.parametrize(
    ("n", "d1", "d2"),
    [(400, 4, 4), (500, 20, 60), (500, 60, 20), (300, 200, 150), (60, 1, 3), (200, 199, 5)],
)
def test_chance_of_other_sizes(n, d1, d2):
    rng = np.random.default_rng(0)
    found = [
        plain(rng.standard_normal((n, d1)), rng.standard_normal((n, d2))).mean()
        for _ in range(300 if d1 < 10 else 4)
    ]
    assert chance.mean_coefficient(n, d1, d2) == pytest.approx(np.mean(found), rel=0.03)


def test_independent_gaussians_are_at_their_chance():
    rng = np.random.default_rng(3)
    found = cca.similarity(
        rng.standard_normal((5000, 32)).astype(np.float32),
        rng.standard_normal((5000, 48)).astype(np.float32),
    )
    assert found.mean == pytest.approx(found.chance, rel=0.05)


@pytest.mark.parametrize("device", [False, True])
@pytest.mark.parametrize("constant", [0.0, 0.1, -1234.5])
def test_dead_channels_and_copies_do_not_count(constant, device):
    x, y = related(3000, 6, 5)
    wide = np.concatenate([x, np.full((3000, 2), constant, np.float32), x[:, :2], 2 * x[:, :1]], 1)
    state = cca.moments(11, 5)
    for rows in np.split(np.arange(3000), 6):
        state = cca.update(state, wide[rows], y[rows])
    found = cca.finish(state, device=device)
    assert (found.rank_x, found.rank_y) == (6, 5)
    np.testing.assert_allclose(found.coefficients, plain(x, y), atol=1e-4)


def test_beyond_the_lower_rank_coefficients_are_zero_and_are_not_averaged():
    x, y = related(3000, 3, 6)
    wide = np.concatenate([x, x @ np.ones((3, 3), np.float32)], 1)
    found = cca.similarity(wide, y)
    assert found.rank_x == 3 and (found.coefficients[3:] == 0).all()
    assert found.mean == pytest.approx(
        found.coefficients[:3].mean()
    ) and found.chance == chance.mean_coefficient(3000, 3, 6)


def test_a_small_scale_is_no_dead_channel():
    x, y = related(3000, 6, 6)
    scales = np.asarray([1e-6, 1e-3, 1, 1e3, 1e6, 1], np.float32)
    np.testing.assert_allclose(cca.similarity(x * scales, y).coefficients, plain(x, y), atol=1e-5)


@pytest.mark.parametrize("measure", [cca.finish, variants.svcca])
def test_an_all_dead_side(measure):
    x = np.ones((100, 4), np.float32)
    found = measure(cca.update(cca.moments(4, 3), x, related(100, 4, 3)[1]))
    assert (found.rank_x, found.mean, found.mean_trimmed, found.chance) == (0, 0, 0, 0)
    np.testing.assert_array_equal(found.coefficients, np.zeros(3))
    assert variants.pwcca(x, related(100, 4, 3)[1]) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("bad", [0, 1])
def test_nan_names_its_side(bad, value):
    sides = related(100, 4, 3)
    sides[bad][17, 2] = value
    state = cca.update(cca.moments(4, 3), *sides)
    with pytest.raises(
        AnalysisError, match=f"^{('block1', 'conv1')[bad]}: 1 of .* first channel 2"
    ):
        cca.finish(state, names=("block1", "conv1"))


@pytest.mark.parametrize(("d1", "d2"), [(20, 3), (3, 20)])
def test_too_few_positions(d1, d2):
    with pytest.raises(
        AnalysisError, match=r"20 positions of .* needs more than 20 .* at least 200"
    ):
        cca.similarity(*related(20, d1, d2))
    assert cca.similarity(*related(21, d1, d2)).n == 21


@pytest.mark.parametrize("options", [{"epsilon": -1.0}, {"threshold": 0.0}, {"threshold": 1.5}])
def test_options_out_of_range(options):
    with pytest.raises(AnalysisError, match="threshold in"):
        cca.similarity(*related(100, 4, 3), **options)


def test_rows_that_do_not_correspond():
    x, y = related(100, 4, 3)
    with pytest.raises(AnalysisError, match="do not correspond"):
        cca.similarity(x, y[1:])
    with pytest.raises(AnalysisError, match="y: 4 channels"):
        cca.update(cca.moments(4, 3), x, x)


def test_the_trimmed_mean_of_one_and_of_all():
    x, y = related(100, 4, 3)
    assert cca.similarity(x, y, threshold=1e-9).mean_trimmed == pytest.approx(
        cca.similarity(x, y).coefficients[0]
    )
    assert cca.similarity(x, y, threshold=1.0).mean_trimmed == pytest.approx(
        cca.similarity(x, y).mean
    )


def test_means_of_a_thousand_deviations():
    x, y = related(2000, 10, 10, shared=8)
    x, y = x + np.float32(1000) * x.std(0), y - np.float32(1000) * y.std(0)
    np.testing.assert_allclose(cca.similarity(x, y).coefficients, plain(x, y), atol=1e-5)


def test_svcca_is_cca_of_the_leading_directions():
    x, y = related(300, 12, 5)
    reduced = []
    for z in (x - x.mean(0), y - y.mean(0)):
        u, s, _ = np.linalg.svd(z.astype(np.float64), full_matrices=False)
        count = np.flatnonzero(np.cumsum(s**2) / np.sum(s**2) >= 0.8)[0] + 1
        reduced.append(u[:, :count] * s[:count])
    found = variants.svcca(cca.update(cca.moments(12, 5), x, y), keep=0.8)
    assert (found.rank_x, found.rank_y) == tuple(z.shape[1] for z in reduced) and found.rank_x < 12
    np.testing.assert_allclose(
        found.coefficients[: min(found.rank_x, found.rank_y)], plain(*reduced), atol=1e-4
    )
    with pytest.raises(AnalysisError, match="keep=1"):
        variants.svcca(cca.update(cca.moments(12, 5), x, y), keep=1.0)


@pytest.mark.parametrize(("d1", "d2"), [(12, 5), (5, 12)])
def test_pwcca_by_its_definition_on_raw_activations(d1, d2):
    x, y = related(300, d1, d2)
    centred = [z.astype(np.float64) - z.astype(np.float64).mean(0) for z in (x, y)]
    bases = [np.linalg.qr(z)[0] for z in centred]
    u, rho, vt = np.linalg.svd(bases[0].T @ bases[1], full_matrices=False)
    directions = bases[0] @ u if d1 <= d2 else bases[1] @ vt.T
    weights = np.abs(directions.T @ centred[0 if d1 <= d2 else 1]).sum(1)
    assert variants.pwcca(x, y) == pytest.approx(np.sum(rho * weights) / weights.sum(), abs=1e-5)
