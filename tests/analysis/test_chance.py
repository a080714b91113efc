import numpy as np
import pytest

from transfer_jax.analysis import chance


def simulated(n, d1, d2, draws):
    """Mean coefficients of independent Gaussian data, draw by draw.

    One of the two spaces may be any fixed one, here that of the first axes.
    """
    gaussians = np.random.default_rng(0).standard_normal((draws, n - 1, min(d1, d2)))
    bases = np.linalg.qr(gaussians)[0]
    return np.linalg.svd(bases[:, : max(d1, d2)], compute_uv=False).mean(1)


@pytest.mark.parametrize(
    ("n", "d1", "d2", "draws"),
    [
        (20, 1, 3, 60_000),
        (6, 2, 2, 60_000),
        (40, 2, 2, 120_000),
        (30, 2, 3, 60_000),
        (8, 3, 3, 40_000),
        (40, 3, 10, 10_000),
        (40, 4, 4, 30_000),
        (40, 5, 4, 30_000),
        (13, 5, 6, 10_000),
        (60, 8, 8, 6_000),
        (40, 9, 9, 10_000),
        (60, 12, 20, 3_000),
        (50, 16, 16, 3_000),
        (12, 6, 8, 5_000),  # the spaces meet
        (20, 18, 3, 5_000),
    ],
)
def test_chance_is_the_mean_of_independent_data_within_half_a_percent(n, d1, d2, draws):
    means = simulated(n, d1, d2, draws)
    error = means.std() / np.sqrt(draws) / means.mean()
    assert error < 2e-3
    assert chance.mean_coefficient(n, d1, d2) == pytest.approx(
        means.mean(), rel=4e-3 + 2 * error if d1 > 8 else 3 * error
    )


@pytest.mark.parametrize("n", [60, 1000, 10**6, 10**9])
def test_the_exact_value_and_the_limit_law_agree_where_they_meet(n):
    for q in (8, 9, 30):
        assert chance._in_the_limit(n - 1, 8, q) == pytest.approx(
            chance._exact(n - 1, 8, q), rel=4e-3
        )


def test_one_channel_is_the_exact_laws_special_case():
    for n, q in ((5, 2), (100, 7), (10_000, 300)):
        assert chance._exact(n - 1, 1, q) == pytest.approx(
            chance.mean_coefficient(n, 1, q), rel=1e-4
        )


def test_no_channels_and_as_many_as_positions():
    assert chance.mean_coefficient(100, 0, 5) == 0
    assert chance.mean_coefficient(100, 99, 5) == 1
