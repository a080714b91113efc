import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models
from transfer_jax.analysis import layerwise, sampling, stage_moments
from transfer_jax.analysis.layerwise import Sampling
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import AnalysisError

SIDE, IMAGES, BATCH = 8, 44, 16
SAMPLING = Sampling(
    IMAGES, positions=300, channels=4, repeats=3
)  # 5, 33 and all 44 images on grids of 8 x 8, 3 x 3 and 1


def network(variables, images):
    """Stages on grids of 8 x 8, 3 x 3 (which does not divide 8) and without positions."""
    stem = jax.nn.relu(jnp.einsum("bhwc,cd->bhwd", images, variables["stem"]))
    block = jnp.tanh(jnp.einsum("bhwc,cd->bhwd", stem[:, ::3, ::3], variables["block"]))
    return {
        "stem": stem,
        "block": block,
        "features": jnp.einsum("bhwc,cd->bd", block, variables["features"]),
    }


def variables(seed, widths=(7, 6, 3)):
    rng, sizes = np.random.default_rng(seed), (3, *widths)
    return {
        name: jnp.asarray(rng.standard_normal(sizes[i : i + 2]) / np.sqrt(sizes[i]), jnp.float32)
        for i, name in enumerate(("stem", "block", "features"))
    }


IMAGE = np.random.default_rng(9).standard_normal((IMAGES, SIDE, SIDE, 3)).astype(np.float32)
STAGES = ("stem", "block", "features")


def batches(images=IMAGE, mesh=None):
    """Batches of one size: NaN fills up the last."""
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        filled = np.full((BATCH, *images.shape[1:]), np.nan, np.float32)
        filled[: len(part)] = part
        counted = (np.arange(BATCH) < len(part)).astype(np.float32)
        if mesh is None:
            yield jnp.asarray(filled), jnp.asarray(counted)
        else:
            yield tuple(meshes.put_batch(mesh, {"x": filled, "counted": counted}).values())


def plain(x, y):
    """Canonical correlations in float64 by another way: the singular values of the product of
    orthonormal bases.
    """
    bases = []
    for z in (x, y):
        u, s, _ = np.linalg.svd(
            np.asarray(z, np.float64) - np.asarray(z, np.float64).mean(0), full_matrices=False
        )
        bases.append(u[:, s > 1e-5 * s[0]])
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def by_hand(a, b, pair, chosen=slice(None), channels=slice(None)):
    """All rows of a pair at once."""
    x, y = (network(v, jnp.asarray(IMAGE))[name] for v, name in zip((a, b), pair, strict=True))
    grid = stage_moments.common_grid(x, y)
    return plain(*(stage_moments.fold(z[chosen][..., channels], grid) for z in (x, y)))


@pytest.fixture(scope="module")
def exact():
    return layerwise.make_compare(network, network)


@pytest.fixture(scope="module")
def sampled():
    return layerwise.make_compare(
        network, network, pairs=layerwise.same(STAGES, STAGES), sampling=SAMPLING
    )


def test_all_pairs_of_stages_are_those_of_all_rows_and_what_fills_up_a_batch_does_not_count(exact):
    a, b = variables(0), variables(1)
    found = exact(a, b, batches())
    assert list(found) == [(first, second) for first in STAGES for second in STAGES]
    for pair, (one,) in found.items():
        expected = by_hand(a, b, pair)
        assert (
            one.n == IMAGES * {"stem": 64, "block": 9, "features": 1}[max(pair, key=STAGES.index)]
        )
        np.testing.assert_allclose(one.coefficients[: len(expected)], expected, atol=1e-4)
        assert layerwise.means(found)[pair] == one.mean
    own = exact(a, a, batches())
    assert [own[name, name][0].mean for name in STAGES] == pytest.approx([1, 1, 1], abs=1e-4)


def test_a_stage_with_nan_is_named(exact):
    broken = variables(1)
    broken["block"] = broken["block"].at[0, 2].set(jnp.nan)
    with pytest.raises(
        AnalysisError,
        match=r"^block of the second network: 1 of 6 channels hold NaN.*first channel 2",
    ):
        exact(variables(0), broken, batches())


def test_too_few_images_name_both_stages_and_say_what_to_do(exact):
    with pytest.raises(
        AnalysisError,
        match=(
            r"^stem of the first network and features of the second network: 2 positions.*more"
            r" images, or sample fewer channels"
        ),
    ):
        exact(variables(0), variables(1), batches(IMAGE[:2]))
    with pytest.raises(AnalysisError, match="no images to compare"):
        exact(variables(0), variables(1), [])


def test_networks_of_different_widths_are_compiled_once_for_all_variables():
    traced = []

    def first(v, images):
        traced.append("first")
        return network(v, images)

    pairs = [("stem", "block"), ("features", "features")]
    compare = layerwise.make_compare(first, network, pairs=pairs, device=True)
    for seed in (0, 2):
        a, b = variables(seed), variables(seed + 1, (5, 8, 4))
        found = compare(a, b, batches())
        assert list(found) == pairs and traced == ["first"]
        for pair, (one,) in found.items():
            expected = by_hand(a, b, pair)
            np.testing.assert_allclose(one.coefficients[: len(expected)], expected, atol=1e-4)


def test_a_repeat_is_what_its_images_and_channels_give_by_hand(sampled):
    a, b = variables(0), variables(1)
    found = sampled(a, b, batches())
    assert list(found) == layerwise.same(STAGES, STAGES)
    for (name, _), repeats in found.items():
        (d,), grid = a[name].shape[1:], {"stem": (8, 8), "block": (3, 3), "features": (1, 1)}[name]
        assert len(repeats) == SAMPLING.repeats
        for repeat, one in enumerate(repeats):
            chosen = sampling.draw_images(SAMPLING, grid, repeat)
            expected = by_hand(
                a, b, (name, name), chosen, sampling.draw_channels(SAMPLING, d, d, repeat)
            )
            assert one.n == len(chosen) * grid[0] * grid[1]
            np.testing.assert_allclose(one.coefficients[: len(expected)], expected, atol=1e-4)
    values = layerwise.means(found)
    assert values["stem", "stem"] == pytest.approx(
        np.mean([by_mean.mean for by_mean in found["stem", "stem"]])
    )
    again = sampled(a, b, batches())
    assert layerwise.means(again) == values


def test_over_eight_devices_as_on_one(exact, sampled):
    mesh = meshes.create()
    a, b = variables(0), variables(1)
    everywhere = [
        jax.tree.map(lambda leaf: meshes.put_whole(mesh, np.asarray(leaf)), v) for v in (a, b)
    ]
    for alone, options in ((exact, {}), (sampled, {"sampling": SAMPLING})):
        expected = alone(a, b, batches())
        pairs = layerwise.same(STAGES, STAGES)
        found = layerwise.make_compare(network, network, pairs=pairs, mesh=mesh, **options)(
            *everywhere, batches(mesh=mesh)
        )
        for pair in pairs:
            for one, other in zip(found[pair], expected[pair], strict=True):
                np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-5)


def test_a_cbr_and_a_wider_one():
    cbrs = [models.create("cbr_tiny", 1, widths=widths) for widths in ((4, 6, 8, 9), (5, 6, 7, 12))]
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.standard_normal((16, 32, 32, 3)), jnp.float32)
    shapes = [
        jax.eval_shape(lambda m=m: m.init(jax.random.key(0), images, train=False)) for m in cbrs
    ]
    weights = [
        {
            "params": jax.tree.map(
                lambda leaf: rng.standard_normal(leaf.shape).astype(np.float32), of["params"]
            ),
            "batch_stats": jax.tree.map(
                lambda leaf: np.ones(leaf.shape, np.float32), of["batch_stats"]
            ),
        }
        for of in shapes
    ]
    first, second = ((lambda v, x, m=m: m.apply(v, x, train=False)[1]) for m in cbrs)
    names = models.stage_names("cbr_tiny")
    compare = layerwise.make_compare(first, second, pairs=layerwise.same(names, names))
    values = layerwise.means(compare(*weights, [(images, jnp.ones(16))]))
    assert [a for a, _ in values] == list(names) and all(0 < value < 1 for value in values.values())


def test_draws():
    images = [sampling.draw_images(SAMPLING, (3, 3), repeat) for repeat in range(3)]
    assert [len(set(drawn.tolist())) for drawn in images] == [33] * 3 and max(
        map(max, images)
    ) < IMAGES
    assert not np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], sampling.draw_images(SAMPLING._replace(seed=1), (3, 3), 0))
    channels = sampling.draw_channels(SAMPLING, 30, 20, 0)
    assert len(set(channels.tolist())) == 4 and channels.max() < 20
    assert not np.array_equal(
        channels, sampling.draw_channels(SAMPLING._replace(seed=1), 30, 20, 0)
    )
    np.testing.assert_array_equal(sampling.draw_channels(SAMPLING, 3, 20, 2), [0, 1, 2])


@pytest.mark.parametrize(("side", "images"), [(112, 1), (56, 3), (28, 13), (14, 51), (7, 204)])
def test_images_of_a_resnet_at_224_pixels(side, images):
    # FACTS.md c: images / rows of CCA.py
    assert Sampling(5000).share((side, side)) == images and Sampling(100).share(
        (side, side)
    ) == min(images, 100)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Sampling(0), "images=0 must be at least 1"),
        (SAMPLING._replace(positions=0), "positions=0"),
        (SAMPLING._replace(channels=0), "channels=0"),
        (SAMPLING._replace(repeats=0), "repeats=0"),
        (SAMPLING._replace(seed=-1), "seed=-1 must be at least 0"),
        (SAMPLING._replace(images=43), "images=43, but the batches hold 44"),
        (SAMPLING._replace(images=45), "images=45, but the batches hold 44"),
        (
            SAMPLING._replace(positions=3),
            "features and features: 3 positions of 3 and 3 channels.*more images",
        ),
    ],
)
def test_samplings_that_cannot_be(given, message):
    with pytest.raises(AnalysisError, match=message):
        layerwise.make_compare(network, network, pairs=[("features", "features")], sampling=given)(
            variables(0), variables(1), batches()
        )
