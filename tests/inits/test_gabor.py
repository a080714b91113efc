import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import NETWORKS, equal, filled, flat

from transfer_jax import inits, models
from transfer_jax.core import errors
from transfer_jax.models import layers

gabor = importlib.import_module(
    "transfer_jax.inits.gabor"
)  # the name `inits.gabor` is the function's
KEY = jax.random.key(0)
SHAPES = [(7, 7, 3, 64), (5, 5, 3, 32), (3, 3, 3, 32), (4, 6, 1, 10), (5, 5, 3, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_filters_have_mean_zero_in_every_channel_and_one_size(shape):
    kernel = np.asarray(gabor.filters(KEY, shape))
    assert kernel.shape == shape
    np.testing.assert_allclose(kernel.mean((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose((kernel**2).mean((0, 1, 2)), 1, rtol=1e-5)


def spectrum(kernel):
    """Energy over frequency: cycles a pixel, degrees, share; of filters [k, k, d], padded so that
    it is nearly continuous.
    """
    size = 64
    power = np.abs(np.fft.fft2(kernel, (size, size), axes=(0, 1))) ** 2
    fy, fx = np.meshgrid(*[np.fft.fftfreq(size)] * 2, indexing="ij")
    return np.hypot(fx, fy), np.degrees(np.arctan2(fy, fx)) % 180, power / power.sum((0, 1))


@pytest.mark.parametrize("side", [3, 5, 7, 11])
def test_filters_have_their_orientation_and_their_wavelength(side):
    at = gabor.grid(96)
    # Without jitter: the grid itself.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gabor, "JITTER", 0.0)
        kernel = np.asarray(gabor._patterns(KEY, side, side, at))
    frequency, angle, power = spectrum(kernel)
    # The structure tensor's main axis: across the stripes, twice the angle averaged over energy.
    twice = (power * np.exp(2j * np.radians(angle))[..., None]).sum((0, 1))
    measured = np.degrees(np.angle(twice)) / 2 % 180
    expected = at.orientation * 180 / gabor.ORIENTATIONS
    off = np.abs((measured - expected + 90) % 180 - 90)
    oriented = np.abs(twice)  # 0: a disc; 1: endless stripes
    assert oriented.min() > 0.5
    assert np.median(off) < 0.5
    assert off.max() < 11.25  # half a step of the grid; 8.3 for a side of 3, 2.2 from 5 on
    # Next to nothing at the finest frequencies that pixels can show, where stripes alias.
    axis = np.maximum(np.abs(np.fft.fftfreq(64))[:, None], np.abs(np.fft.fftfreq(64))[None])
    at_nyquist = power[axis > 0.47].sum(0)
    assert at_nyquist.max() < (
        0.15 if side == 3 else 0.1
    )  # three pixels spread wide: 0.13; from five on 0.07
    # Coarser steps of the grid are coarser filters.
    mean = (power * frequency[..., None]).sum((0, 1))
    by_step = [mean[at.wavelength == step].mean() for step in range(gabor.WAVELENGTHS)]
    assert by_step == sorted(by_step, reverse=True)


def test_any_number_of_filters_covers_the_grid():
    whole = gabor.grid(96)
    assert (
        len(set(zip(*whole[:3], strict=True)))
        == gabor.ORIENTATIONS * gabor.WAVELENGTHS * gabor.PHASES
    )
    for count in (24, 48):
        at = gabor.grid(count)
        assert len(set(zip(at.orientation, at.wavelength, strict=True))) == 24
        for steps, number in zip(at, (8, 3, 4, 2), strict=True):
            assert np.bincount(steps, minlength=number).min() >= count // number // 2
    assert (
        len(set(np.round(np.asarray(gabor.filters(KEY, (7, 7, 3, 200))).reshape(-1, 200), 4)[0]))
        > 190
    )  # jitter: none twice


def test_a_quarter_of_the_filters_is_coloured():
    kernel = np.asarray(gabor.filters(KEY, (7, 7, 3, 64)))
    grey = np.ptp(kernel, axis=2).max((0, 1)) == 0
    assert grey.sum() == 48
    np.testing.assert_allclose(
        kernel[..., ~grey].sum(2), 0, atol=1e-6
    )  # no answer to grey patterns
    red_green = np.abs(kernel[:, :, 2]).max((0, 1)) == 0
    assert red_green.sum() == 8


def test_only_the_first_convolution_changes(pair):
    own, source = pair
    for new in (inits.gabor(KEY, own), inits.gabor(KEY, own, source)):
        before, after = flat(own), flat(new)
        stem = ("params", *models.stem(own["params"])[:-1])
        changed = {path for path in before if not np.array_equal(before[path], after[path])}
        assert changed == {path for path in before if path[:-1] == stem}
        if (*stem, "bias") in before:  # Keras' ResNet
            assert before[*stem, "bias"].any() and not after[*stem, "bias"].any()


def test_scales(pair):
    own, source = pair
    shape = models.first_kernel(own["params"]).shape
    he = models.first_kernel(inits.gabor(KEY, own)["params"])
    assert float(he.std()) == pytest.approx((2 / (shape[0] * shape[1] * shape[3])) ** 0.5, rel=1e-5)
    pretrained = models.first_kernel(inits.gabor(KEY, own, source, scale="pretrained")["params"])
    assert float(pretrained.std()) == pytest.approx(
        float(models.first_kernel(source["params"]).std()), rel=1e-4
    )
    np.testing.assert_allclose(he / he.std(), pretrained / pretrained.std(), atol=1e-4)


def test_it_is_the_networks_own_scale():
    shape = (5, 5, 3, 32)
    own = float(layers.he_normal(KEY, shape).std())
    shapes = {
        "conv1": (shape, "bn1"),
        "conv2": ((5, 5, 32, 8), "bn2"),
        "conv3": ((5, 5, 8, 8), "bn3"),
        "conv4": ((5, 5, 8, 8), "bn4"),
    }
    params = {name: {"kernel": jnp.zeros(kernel)} for name, (kernel, _) in shapes.items()} | {
        bn: {} for _, bn in shapes.values()
    }
    new = float(models.first_kernel(inits.gabor(KEY, {"params": params})["params"]).std())
    assert own == pytest.approx(
        new, abs=5 * new / (2 * 5 * 5 * 3 * 32) ** 0.5
    )  # five standard errors of a normal std


def test_grey_networks_and_inception():
    grey = filled(seed=0, **NETWORKS["cbr_tiny"])
    grey = models.with_first_kernel(grey, models.first_kernel(grey["params"])[:, :, :1])
    assert models.first_kernel(inits.gabor(KEY, grey)["params"]).shape == (5, 5, 1, 8)
    shapes = models.shapes(models.create("inception_v3", 2), 75)
    assert jax.tree.leaves(
        jax.eval_shape(lambda v: inits.gabor(KEY, v), shapes)
    ) == jax.tree.leaves(shapes)


def test_it_replaces_what_an_earlier_one_made(cbr):
    own, source = cbr
    new = inits.build("pretrained+gabor", scale="pretrained")(KEY, own, source)
    assert equal(inits.pretrained(KEY, own, source)["params"]["conv2"], new["params"]["conv2"])
    assert not equal(source["params"]["conv1"], new["params"]["conv1"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda own: inits.gabor(KEY, own, scale="hee"), "unknown scale='hee': did you mean 'he'"),
        (lambda own: inits.gabor(KEY, own, scale="pretrained"), "needs a source"),
        (
            lambda own: gabor.filters(KEY, (1, 1, 3, 4)),
            "3 x 3 pixels and more with 1 or 3 channels, not 1 x 1 with 3",
        ),
        (lambda own: gabor.filters(KEY, (3, 3, 2, 4)), "not 3 x 3 with 2"),
    ],
)
def test_mistakes(cbr, call, message):
    with pytest.raises(errors.ConfigError, match=message):
        call(cbr[0])
