import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import inits, models
from transfer_jax.core import errors


def variables_of(name, seed, outputs):
    module = models.create(name, outputs)
    drawn = jax.jit(lambda k: module.init(k, jnp.zeros((1, 32, 32, 3)), train=False))(jax.random.key(seed))
    # Statistics and batch norms of a trained network differ from fresh ones.
    bump = jax.random.normal(jax.random.key(seed + 100), ())
    return jax.tree.map(lambda leaf: leaf + 0.1 * bump, drawn)


@pytest.fixture(scope="module", params=["cbr_tiny", "resnet18"])
def pair(request):
    return request.param, variables_of(request.param, 0, 2), variables_of(request.param, 1, 7)


def equal(a, b):
    return all((x == y).all() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_random_takes_nothing(pair):
    _, own, source = pair
    assert equal(inits.random(jax.random.key(0), own, source), own)


def test_pretrained_takes_all_but_the_head(pair):
    _, own, source = pair
    new = inits.pretrained(jax.random.key(0), own, source)
    for collection in new:
        for module, tensors in new[collection].items():
            assert equal(tensors, own[collection][module] if module == models.HEAD else source[collection][module])


def test_transfusion_takes_the_first_stages_and_leaves_the_rest(pair):
    name, own, source = pair
    stage = models.stage_names(name)[1]
    new = inits.transfusion(jax.random.key(0), own, source, upto=stage)
    taken = {m for s in models.stage_names(name)[:2] for m in models.stage_table(name)[s]}
    for collection in new:
        for module, tensors in new[collection].items():
            assert equal(tensors, (source if module in taken else own)[collection][module])
    with pytest.raises(errors.ConfigError, match="no stage 'conv9'"):
        inits.transfusion(jax.random.key(0), own, source, upto="conv9")


def test_mean_var_keeps_the_scale_and_destroys_the_features(pair):
    _, own, source = pair
    new = inits.mean_var(jax.random.key(0), own, source)
    assert equal(new["batch_stats"], own["batch_stats"])
    assert equal(new["params"][models.HEAD], own["params"][models.HEAD])
    checked = 0
    for path, drawn in jax.tree_util.tree_flatten_with_path(new["params"])[0]:
        keys = [p.key for p in path]
        theirs, mine = source["params"], own["params"]
        for key in keys:
            theirs, mine = theirs[key], mine[key]
        if keys[0] == models.HEAD:
            continue
        if keys[-1] != "kernel":
            assert (drawn == mine).all()
            continue
        checked += 1
        error = 5 * float(theirs.std()) / np.sqrt(theirs.size)  # five standard errors
        assert abs(float(drawn.mean() - theirs.mean())) < error
        assert abs(float(drawn.std() - theirs.std())) < error
        assert abs(np.corrcoef(drawn.ravel(), theirs.ravel())[0, 1]) < 5 / np.sqrt(theirs.size)
    assert checked >= 4


def test_mean_var_draws_by_path_key_and_under_jit(pair):
    _, own, source = pair
    a, b = (inits.mean_var(jax.random.key(seed), own, source) for seed in (0, 1))
    assert not equal(a["params"]["conv1"], b["params"]["conv1"])
    jitted = jax.jit(inits.mean_var)(jax.random.key(0), own, source)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(jitted), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6)


def test_a_source_of_another_shape_is_an_error(pair):
    _, own, source = pair
    source = {**source, "params": {**source["params"], "conv1": {"kernel": jnp.zeros((1, 1, 3, 4))}}}
    with pytest.raises(errors.ConfigError, match=r"params/conv1/kernel has shape \(1, 1, 3, 4\) in the source"):
        inits.pretrained(jax.random.key(0), own, source)
    source = {**source, "params": {m: t for m, t in source["params"].items() if m != "bn1"}}
    with pytest.raises(errors.ConfigError, match="has not the same tensors in params/bn1"):
        inits.transfusion(jax.random.key(0), {**own, "params": {**own["params"], "conv1": source["params"]["conv1"]}}, source, upto="conv1")


def test_every_initialiser_is_found_by_name():
    for name in inits.names():
        assert callable(inits.build(name))
    with pytest.raises(errors.ConfigError, match="did you mean 'mean_var'"):
        inits.build("mean_vor")
