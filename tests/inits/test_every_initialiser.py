"""What holds for every initialiser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from small_networks import NETWORKS, equal, filled, flat

from transfer_jax import inits, models
from transfer_jax.core import mesh as meshes

KEY = jax.random.key(0)
SHORT = (
    "random",
    "random:he_normal",
    "pretrained",
    "mean_var",
    "mean_var:pretrained",
    "mean_var:mean_var",
    "transfusion:conv2",
    "gabor",
    "gabor:pretrained",
    "resample:values",
    "resample:filters",
    "resample:histogram",
    "resample:spectrum",
    "resample:scale",
    "resample:magnitude",
    "mean_var+transfusion:conv2+gabor",
)


@pytest.fixture(scope="module", params=SHORT)
def case(request, cbr):
    name, chosen = inits.parse(request.param)
    initialise = inits.build(name, **chosen)
    return initialise, *cbr, initialise(KEY, *cbr)


def backwards(tree):
    return {key: backwards(tree[key]) for key in reversed(tree)} if isinstance(tree, dict) else tree


def test_the_tree_is_the_networks_and_the_head_its_own(case):
    _, own, _, new = case
    assert jax.tree.structure(new) == jax.tree.structure(own)
    assert [(x.shape, x.dtype) for x in jax.tree.leaves(new)] == [
        (x.shape, x.dtype) for x in jax.tree.leaves(own)
    ]
    assert equal(new["params"][models.HEAD], own["params"][models.HEAD])


def test_nothing_is_changed_in_place_and_the_same_key_gives_the_same(case):
    initialise, own, source, new = case
    before = jax.tree.map(np.array, (own, source))
    assert equal(initialise(KEY, own, source), new)
    assert equal(before, (own, source))


def test_the_order_of_modules_does_not_matter(case):
    initialise, own, source, new = case
    turned = initialise(KEY, backwards(own), backwards(source))
    assert equal(turned, new)


def test_jit_and_vmap_over_keys(case):
    initialise, own, source, new = case
    keys = jnp.stack([KEY, jax.random.key(1)])
    several = jax.jit(jax.vmap(initialise, in_axes=(0, None, None)))(keys, own, source)
    other = initialise(jax.random.key(1), own, source)
    for one, two, both in zip(
        jax.tree.leaves(new), jax.tree.leaves(other), jax.tree.leaves(several), strict=True
    ):
        np.testing.assert_allclose(both[0], one, atol=2e-6)
        np.testing.assert_allclose(both[1], two, atol=2e-6)


def test_bfloat16_stays_bfloat16_and_is_drawn_in_float32(case):
    initialise, own, source, new = case
    low = jax.tree.map(lambda x: x.astype(jnp.bfloat16), own)
    for got, wide in zip(
        jax.tree.leaves(initialise(KEY, low, source)), jax.tree.leaves(new), strict=True
    ):
        assert got.dtype == jnp.bfloat16
        np.testing.assert_allclose(got.astype(np.float32), wide, rtol=2**-8, atol=1e-6)
    all_low = initialise(KEY, low, jax.tree.map(lambda x: x.astype(jnp.bfloat16), source))
    assert {x.dtype for x in jax.tree.leaves(all_low)} == {jnp.dtype(jnp.bfloat16)}


def test_sharding_is_kept(case):
    initialise, own, source, new = case
    mesh = meshes.create(8)
    split = NamedSharding(mesh, PartitionSpec(None, None, None, mesh.axis_names[0]))
    whole = NamedSharding(mesh, PartitionSpec())
    where = jax.tree.map(lambda x: split if x.ndim == 4 and x.shape[3] % 8 == 0 else whole, own)
    placed = jax.device_put(own, where)
    for mine in (
        initialise(KEY, placed, source),
        jax.jit(initialise, out_shardings=where)(KEY, placed, source),
    ):
        for got, wanted, plain in zip(
            jax.tree.leaves(mine), jax.tree.leaves(where), jax.tree.leaves(new), strict=True
        ):
            assert got.sharding.is_equivalent_to(wanted, got.ndim)
            np.testing.assert_allclose(got, plain, atol=2e-6)


def test_chains_apply_from_left_to_right_with_keys_of_their_own(cbr):
    own, source = cbr
    seen = []

    def noting(key, variables, source):
        seen.append(jax.random.key_data(key).tolist())
        return {**variables, "params": {**variables["params"], "trace": len(seen)}}

    assert inits.chain(noting, noting, noting)(KEY, own, source)["params"]["trace"] == 3
    assert len({tuple(s) for s in seen}) == 3
    assert inits.chain()(KEY, own, source) is own
    longer = inits.chain(inits.mean_var, inits.gabor)(KEY, own, source)
    shorter = inits.chain(inits.mean_var)(KEY, own, source)
    assert equal(shorter["params"]["conv2"], longer["params"]["conv2"])


def test_aux_heads_stay():
    assert "aux_head" in models.HEADS
    own = {
        "params": {
            "aux_head": {"conv": {"kernel": jnp.ones((1, 1, 2, 2))}},
            "conv1": {"kernel": jnp.ones((3, 3, 3, 8))},
        },
        "batch_stats": {},
    }
    for short in ("mean_var", "resample:scale"):
        name, chosen = inits.parse(short)
        new = inits.build(name, **chosen)(KEY, own, {"params": {"conv1": own["params"]["conv1"]}})
        assert equal(new["params"]["aux_head"], own["params"]["aux_head"])


def test_transfusion_and_gabor_of_a_network_with_biases():
    own, source = (
        filled(seed=seed, outputs=outputs, **NETWORKS["resnet50_keras"])
        for seed, outputs in ((0, 2), (1, 3))
    )
    new = inits.build("transfusion+gabor", upto="block1")(KEY, own, source)
    assert (flat(new)[("params", "conv1", "bias")] == 0).all()
    assert equal(new["params"]["bn1"], source["params"]["bn1"])
    assert equal(new["params"]["block1"], source["params"]["block1"])
    assert equal(new["params"]["block2"], own["params"]["block2"])
