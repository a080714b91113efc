import jax
import numpy as np
import pytest
from small_networks import convolutions, correlation, equal, flat, rest

from transfer_jax import inits, models
from transfer_jax.core import errors
from transfer_jax.inits import scaling

KEY = jax.random.key(0)


def within_sampling_error(drawn, mean, std):
    """Five standard errors of n values: s / sqrt(n) of the mean, s / sqrt(2 n) of a normal standard
    deviation (less if truncated).
    """
    n = drawn.size
    assert abs(drawn.mean() - mean) < 5 * std / np.sqrt(n)
    assert abs(drawn.std(ddof=1) - std) < 5 * std / np.sqrt(2 * (n - 1))


@pytest.mark.parametrize("distribution", ["normal", "truncated"])
def test_it_keeps_the_scale_and_destroys_the_features(pair, distribution):
    own, source = pair
    new = inits.mean_var(KEY, own, source, distribution=distribution)
    assert equal(rest(new), rest(own))
    drawn, pretrained = convolutions(new), convolutions(source)
    for path, theirs in pretrained.items():
        within_sampling_error(drawn[path], theirs.mean(), theirs.std())
        assert abs(correlation(drawn[path], theirs)) < 5 / np.sqrt(theirs.size)
        if distribution == "truncated":
            assert np.abs(drawn[path] - theirs.mean()).max() <= 2.2738 * theirs.std()
    # Over all tensors together, with many more values: in units of each tensor's own.
    scaled = np.concatenate(
        [((drawn[path] - t.mean()) / t.std()).ravel() for path, t in pretrained.items()]
    )
    within_sampling_error(scaled, 0, 1)


def test_the_truncated_distribution_keeps_the_variance_exactly():
    values = np.asarray(scaling.draw(KEY, (1_000_000,), np.float32(3), np.float32(2), "truncated"))
    # Kurtosis of a normal distribution cut at two: 2.366, so that the variance has error s^2
    # sqrt(1.366 / n).
    assert abs(values.var() / 4 - 1) < 5 * np.sqrt(1.366 / 1e6)
    assert abs(values.mean() - 3) < 5 * 2 / 1e3


@pytest.mark.parametrize(
    "initialise",
    [inits.mean_var, inits.build("resample", keep="values")],
    ids=["mean_var", "resample"],
)
def test_batch_norms(pair, initialise):
    own, source = pair
    results = {
        kind: initialise(KEY, own, source, batch_norm=kind)
        for kind in ("own", "pretrained", "mean_var")
    }
    head = {path for path in rest(own) if path[1] in models.HEADS}
    for kind, new in results.items():
        assert equal(convolutions(new), convolutions(results["own"]))
        for path, tensor in rest(new).items():
            mine, theirs = rest(own)[path], rest(source)[path] if path not in head else None
            if path in head or kind == "own" or (kind == "mean_var" and path[0] == "batch_stats"):
                assert np.array_equal(tensor, mine)
            elif kind == "pretrained":
                assert np.array_equal(tensor, theirs)
            else:
                within_sampling_error(tensor, theirs.mean(), theirs.std())
    assert head


def test_every_tensor_has_its_own_stream(cbr):
    own, source = cbr
    same = jax.tree.map(lambda x: x * 0 + np.resize([-1.0, 1.0], x.shape), source)
    kernels = convolutions(inits.mean_var(KEY, own, same))
    a, b = (kernels[(name, "kernel")].ravel()[:200] for name in ("conv2", "conv3"))
    assert abs(correlation(a, b)) < 5 / np.sqrt(200)
    other = inits.mean_var(jax.random.key(1), own, same)
    assert not np.array_equal(
        flat(other)[("params", "conv2", "kernel")], kernels[("conv2", "kernel")]
    )


def test_unknown_words_are_named(cbr):
    with pytest.raises(
        errors.ConfigError, match="unknown distribution='trunkated': did you mean 'truncated'"
    ):
        inits.mean_var(KEY, *cbr, distribution="trunkated")
    with pytest.raises(
        errors.ConfigError, match="unknown batch_norm='pretraind': did you mean 'pretrained'"
    ):
        inits.mean_var(KEY, *cbr, batch_norm="pretraind")
