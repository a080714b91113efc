import jax
import numpy as np
import pytest
from small_networks import NETWORKS, convolutions, correlation, equal, filled, rest

from transfer_jax import inits
from transfer_jax.core import errors
from transfer_jax.inits.resampling import KEEP

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def resampled(pair):
    own, source = pair
    return (
        own,
        convolutions(source),
        {keep: inits.resample(KEY, own, source, keep=keep) for keep in KEEP},
    )


def pairs(resampled, keep):
    _, pretrained, made = resampled
    new = convolutions(made[keep])
    return [(new[path], theirs) for path, theirs in pretrained.items()]


def test_only_convolutions_change(resampled):
    own, pretrained, made = resampled
    for new in made.values():
        assert equal(rest(new), rest(own))
        assert convolutions(new).keys() == pretrained.keys()


def test_values_are_shuffled(resampled):
    for new, theirs in pairs(resampled, "values"):
        assert np.array_equal(np.sort(new, axis=None), np.sort(theirs, axis=None))


def test_filters_are_shuffled_within(resampled):
    for new, theirs in pairs(resampled, "filters"):
        one, two = (np.sort(t.reshape(-1, t.shape[-1]), axis=0) for t in (new, theirs))
        assert np.array_equal(one, two)
        if theirs.ndim == 4:  # every filter in an order of its own
            filters = [
                (n, t)
                for n, t in zip(
                    new.reshape(-1, new.shape[-1]).T,
                    theirs.reshape(-1, theirs.shape[-1]).T,
                    strict=True,
                )
            ]
            assert len(
                {tuple(np.argsort(np.argsort(t))[np.argsort(n)]) for n, t in filters}
            ) == len(filters)


def test_histogram_draws_from_the_values(resampled):
    for new, theirs in pairs(resampled, "histogram"):
        assert np.isin(new, theirs).all()
        assert abs(new.mean() - theirs.mean()) < 5 * theirs.std() / np.sqrt(theirs.size)
        # With replacement: a share of 1/e of the values is not drawn, give or take sqrt(0.1 n) of
        # n.
        if theirs.size > 100:
            missing = theirs.size - len(np.unique(new))
            assert abs(missing - theirs.size / np.e) < 5 * np.sqrt(0.1 * theirs.size)


def test_spectrum_keeps_amplitudes_and_means(resampled):
    for new, theirs in pairs(resampled, "spectrum"):
        assert new.dtype == np.float32
        if theirs.ndim < 4 or theirs.shape[:2] == (1, 1):
            assert np.array_equal(np.abs(new), np.abs(theirs))  # the one amplitude
            continue
        one, two = (np.abs(np.fft.fft2(t, axes=(0, 1))) for t in (new, theirs))
        np.testing.assert_allclose(one, two, atol=1e-5 * two.max())
        np.testing.assert_allclose(new.mean((0, 1)), theirs.mean((0, 1)), atol=1e-6)


def test_spectrum_of_kernels_with_even_sides_is_real_too():
    kernel = jax.random.normal(KEY, (4, 6, 3, 5))
    new = np.asarray(KEEP["spectrum"](jax.random.key(1), kernel))
    np.testing.assert_allclose(
        np.abs(np.fft.fft2(new, axes=(0, 1))), np.abs(np.fft.fft2(kernel, axes=(0, 1))), atol=1e-4
    )


def test_scale_keeps_the_second_moment(resampled):
    for new, theirs in pairs(resampled, "scale"):
        n, moment = theirs.size, (theirs.astype(np.float64) ** 2).mean()
        assert abs(new.mean()) < 5 * np.sqrt(moment / n)
        assert abs((new.astype(np.float64) ** 2).mean() / moment - 1) < 5 * np.sqrt(
            2 / n
        )  # chi-squared over n: variance 2 / n


def test_magnitude_flips_signs(resampled):
    for new, theirs in pairs(resampled, "magnitude"):
        assert np.array_equal(np.abs(new), np.abs(theirs))
        kept = (np.sign(new) == np.sign(theirs)).mean()
        assert abs(kept - 0.5) <= 2.5 / np.sqrt(theirs.size)


@pytest.mark.parametrize("keep", KEEP)
def test_features_are_destroyed(resampled, keep):
    """The correlation with the source is at chance: its standard deviation is 1 / sqrt(n) for
    shuffled or drawn values.

    Random signs and phases leave large values large. For signs it is sqrt(sum w^2 (w - m)^2 / (sum
    w^2 sum (w - m)^2)); for phases, after taking out the means, which stay, sqrt(sum |F|^4) / sum
    |F|^2: half as many free phases as frequencies, each with half a cosine's variance.
    """
    checked = 0
    for new, theirs in pairs(resampled, keep):
        if theirs.ndim < 4:
            continue
        chance = 1 / np.sqrt(theirs.size)
        if keep == "magnitude" or (keep == "spectrum" and theirs.shape[:2] == (1, 1)):
            square, centred = theirs**2, (theirs - theirs.mean()) ** 2
            chance = np.sqrt((square * centred).sum() / (square.sum() * centred.sum()))
        elif keep == "spectrum":
            new, theirs = (t - t.mean((0, 1), keepdims=True) for t in (new, theirs))
            power = np.abs(np.fft.fft2(theirs, axes=(0, 1))) ** 2
            chance = np.sqrt((power**2).sum()) / power.sum()
        elif keep == "filters":  # a filter's mean stays
            new, theirs = (t - t.mean((0, 1, 2), keepdims=True) for t in (new, theirs))
        assert abs(correlation(new, theirs)) < 5 * chance
        checked += 1
    assert checked >= 4


def test_biases_are_kernels_with_one_value_per_filter():
    own, source = (filled(seed=seed, **NETWORKS["resnet50_keras"]) for seed in (0, 1))
    pretrained = convolutions(source)
    by_filter, by_value = (
        convolutions(inits.resample(KEY, own, source, keep=keep)) for keep in ("filters", "values")
    )
    biases = [path for path in pretrained if path[-1] == "bias"]
    assert len(biases) == len(pretrained) // 2
    for path in biases:
        assert np.array_equal(by_filter[path], pretrained[path])
        assert not np.array_equal(by_value[path], pretrained[path])
        assert np.array_equal(np.sort(by_value[path]), np.sort(pretrained[path]))


def test_an_unknown_property_is_named(cbr):
    with pytest.raises(errors.ConfigError, match="unknown keep='filter': did you mean 'filters'"):
        inits.resample(KEY, *cbr, keep="filter")
