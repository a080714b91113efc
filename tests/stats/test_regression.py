import numpy as np
import pytest
from scipy import stats

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import regression

X = np.array([0.1, 0.4, 0.35, 0.8, 0.9, 0.55])
Y = np.array([2.0, 1.1, 1.6, 0.2, 0.1, 0.9])


def test_the_line_is_numpys_and_its_numbers_are_scipys():
    line = regression.line(X, Y)
    slope, intercept = np.polyfit(X, Y, 1)
    np.testing.assert_allclose([line.slope, line.intercept], [slope, intercept], rtol=1e-10)
    assert line.r2 == pytest.approx(np.corrcoef(X, Y)[0, 1] ** 2)
    assert line.p == pytest.approx(stats.pearsonr(X, Y).pvalue)
    np.testing.assert_allclose(line.at(X), np.polyval([slope, intercept], X))


def test_the_band_covers_the_true_line_as_often_as_it_says():
    rng, covered, trials = np.random.default_rng(0), 0, 2000
    for _ in range(trials):
        line = regression.line(X, 1 - 2 * X + rng.standard_normal(len(X)))
        covered += (
            abs(line.at(np.array([0.7]))[0] - (1 - 1.4)) <= line.half_band(np.array([0.7]))[0]
        )
    assert covered / trials == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_a_line_of_equal_values_has_no_r2():
    line = regression.line(X, np.ones_like(X))
    assert line.slope == 0 and np.isnan(line.r2)


@pytest.mark.parametrize(
    ("x", "y"), [(X[:2], Y[:2]), (np.ones(6), Y), (X, np.where(Y > 1.5, np.nan, Y))]
)
def test_points_without_a_line_are_an_error(x, y):
    with pytest.raises(AnalysisError, match="a line needs 3 finite points"):
        regression.line(x, y)
