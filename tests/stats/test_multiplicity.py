import numpy as np
import pytest

from transfer_jax.core.errors import AnalysisError
from transfer_jax.stats import multiplicity


def test_adjusted_by_hand():
    # Sorted: 0.005 x 4, 0.011 x 3, 0.02 x 2, 0.04 x 1; none below the one before.
    np.testing.assert_allclose(
        multiplicity.holm([0.02, 0.005, 0.04, 0.011]), [0.04, 0.02, 0.04, 0.033]
    )


def test_an_adjusted_value_is_not_below_that_of_a_smaller_one_nor_above_1():
    np.testing.assert_allclose(multiplicity.holm([0.3, 0.31, 0.9]), [0.9, 0.9, 0.9])
    np.testing.assert_allclose(multiplicity.holm([0.6, 0.7]), [1, 1])


def test_what_was_not_compared_does_not_count():
    found = multiplicity.holm([np.nan, 0.02, np.nan, 0.01])
    np.testing.assert_allclose(found, [np.nan, 0.02, np.nan, 0.02])
    assert len(multiplicity.holm([])) == 0


def test_a_p_value_is_a_probability():
    with pytest.raises(AnalysisError, match=r"in \[0, 1\], not 1.5"):
        multiplicity.holm([0.1, 1.5])


def test_false_findings_stay_rare():
    rng = np.random.default_rng(0)
    found = [multiplicity.holm(rng.random(5)).min() <= 0.05 for _ in range(4000)]
    assert np.mean(found) == pytest.approx(0.05, abs=0.011)  # three standard errors
