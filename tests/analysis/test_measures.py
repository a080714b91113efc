import numpy as np
import pytest

from transfer_jax.analysis import batch_moments, cca, cka, measures, moments, variants
from transfer_jax.core.errors import AnalysisError

RNG = np.random.default_rng(0)
N = 400
X = {name: RNG.standard_normal((N, d)).astype(np.float32) for name, d in (("a", 6), ("b", 9))}
Y = {
    "c": (X["a"] @ RNG.standard_normal((6, 7)) + RNG.standard_normal((N, 7))).astype(np.float32),
    "d": np.concatenate([X["b"][:, :3], np.zeros((N, 2), np.float32)], 1),
}


def state_of(x, y):
    widths = ({name: of.shape[1] for name, of in side.items()} for side in (x, y))
    return batch_moments.update(moments.empty(*widths), x, y)


@pytest.mark.parametrize("measure", measures.MEASURES)
def test_all_pairs_of_stages_at_once_are_each_pair_by_itself(measure):
    (found,) = measures.finish_many([state_of(X, Y)], measure)
    assert set(found) == {(a, b) for a in X for b in Y}
    for (a, b), result in found.items():
        alone = cca.moments_of(X[a], Y[b])
        value = {
            "cca": lambda state: cca.finish(state).mean,
            "svcca": lambda state: variants.svcca(state).mean,
            "pwcca": variants.pwcca_from_moments,
            "cka": cka.from_moments,
        }[measure](alone)
        assert result.mean == pytest.approx(value, abs=1e-6)
        assert result.n == N
        assert np.isfinite(result.mean_trimmed) == measures.named(measure).trimmed
    assert found["b", "d"].rank_y == 3  # dead channels are no dimension by any measure


@pytest.mark.parametrize("measure", measures.MEASURES)
def test_the_level_by_chance_is_the_mean_of_independent_data(measure):
    values, levels = [], []
    for _ in range(60):
        x, y = (RNG.standard_normal((60, d)) * np.arange(1, d + 1) for d in (5, 8))
        ((result,),) = (of.values() for of in measures.finish_many([cca.moments_of(x, y)], measure))
        values.append(result.mean)
        levels.append(result.chance)
    error = np.std(values) / 60**0.5
    assert np.mean(levels) == pytest.approx(np.mean(values), abs=4 * error)


def test_an_unknown_measure_is_named():
    with pytest.raises(AnalysisError, match="unknown measure 'ckaa': did you mean 'cka'"):
        measures.finish_many([], "ckaa")


def test_the_stage_that_holds_nan_is_named():
    broken = {"a": np.full((N, 6), np.nan, np.float32), "b": X["b"]}
    for measure in measures.MEASURES:
        with pytest.raises(AnalysisError, match="a: 6 of 6 channels hold NaN"):
            measures.finish_many([state_of(broken, Y)], measure)
