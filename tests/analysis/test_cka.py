import jax
import numpy as np
import pytest

from transfer_jax.analysis import cca, cka
from transfer_jax.core.errors import AnalysisError


def related(n, d1, d2, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 3))
    return tuple(
        (z @ rng.standard_normal((3, d)) + noise * rng.standard_normal((n, d)) + 2).astype(
            np.float32
        )
        for d in (d1, d2)
    )


def by_kernels(x, y, unbiased):
    """CKA from n x n kernels: the definitions as they are written."""
    n = len(x)
    k, m = (z @ z.T for z in (x.astype(np.float64), y.astype(np.float64)))
    if not unbiased:
        centre = np.eye(n) - 1 / n
        k, m = centre @ k @ centre, centre @ m @ centre
        return np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))
    k, m = (z - np.diag(np.diag(z)) for z in (k, m))

    def hsic(a, b):
        return (
            np.trace(a @ b) + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * np.sum(a @ b)
        ) / (n * (n - 3))

    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


@pytest.mark.parametrize(("d1", "d2"), [(5, 40), (60, 8)])
def test_both_agree_with_their_kernels(d1, d2):
    x, y = related(50, d1, d2)
    state = cca.update(cca.update(cca.moments(d1, d2), x[:25], y[:25]), x[25:], y[25:])
    assert cka.from_moments(state) == pytest.approx(by_kernels(x, y, False), abs=1e-5)
    assert cka.unbiased(x, y) == pytest.approx(by_kernels(x, y, True), abs=1e-5)


def test_in_float64():
    with jax.enable_x64(True):
        x, y = related(40, 6, 9)
        assert cka.unbiased(x, y) == pytest.approx(by_kernels(x, y, True), abs=1e-10)


def test_rotations_and_scale_change_nothing():
    x, y = related(64, 9, 9)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 9)))[0].astype(np.float32)
    assert cka.unbiased(5 * x @ turn, y) == pytest.approx(cka.unbiased(x, y), abs=1e-5)
    assert cka.unbiased(x, x) == pytest.approx(1, abs=1e-6)
    assert cka.unbiased(y, x) == pytest.approx(cka.unbiased(x, y), abs=1e-6)


def test_independent_data_are_near_zero_without_bias_and_not_with_it():
    rng = np.random.default_rng(0)
    draws = [
        [rng.standard_normal((64, 100)).astype(np.float32) for _ in range(2)] for _ in range(20)
    ]
    assert abs(np.mean([cka.unbiased(*draw) for draw in draws])) < 0.02
    assert cka.from_moments(cca.update(cca.moments(100, 100), *draws[0])) > 0.5


def test_minibatches_are_near_all_rows():
    x, y = related(2048, 9, 9)
    state = cka.start()
    for i in range(0, 2048, 64):
        state = cka.update(state, x[i : i + 64], y[i : i + 64])
    assert cka.finish(state) == pytest.approx(cka.unbiased(x, y), abs=0.03)


def test_no_variance_and_nan_and_too_few_rows():
    x, y = related(30, 4, 3)
    assert cka.unbiased(np.zeros_like(x), y) == 0
    assert cka.from_moments(cca.update(cca.moments(4, 3), np.zeros_like(x), y)) == 0
    y[3, 1] = np.nan
    for measure in (
        lambda: cka.unbiased(x, y),
        lambda: cka.from_moments(cca.update(cca.moments(4, 3), x, y)),
    ):
        with pytest.raises(AnalysisError, match=r"^y: "):
            measure()
    with pytest.raises(AnalysisError, match="at least 4"):
        cka.unbiased(x[:3], y[:3])
