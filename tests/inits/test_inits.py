"""The two ends, transfusion between them, and schemes from scratch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import NETWORKS, convolutions, equal, filled, rest

from transfer_jax import inits, models
from transfer_jax.core import errors
from transfer_jax.inits.schemes import SCHEMES

KEY = jax.random.key(0)


def test_random_takes_nothing(pair):
    own, source = pair
    assert equal(inits.random(KEY, own, source), own)


def test_pretrained_takes_all_but_the_head(pair):
    own, source = pair
    new = inits.pretrained(KEY, own, source)
    for collection in new:
        for module, tensors in new[collection].items():
            assert equal(tensors, own[collection][module] if module == models.HEAD else source[collection][module])


def test_a_source_may_lack_the_head(cbr):
    own, source = cbr
    headless = models.without(source, models.HEADS)
    for initialise in (inits.pretrained, inits.build("mean_var", batch_norm="pretrained"), inits.build("resample", keep="values")):
        assert equal(initialise(KEY, own, headless), initialise(KEY, own, source))


def test_transfusion_takes_the_first_stages_and_leaves_the_rest(pair):
    own, source = pair
    table = models.table_of(own["params"])
    first = list(table)[:2]
    new = inits.transfusion(KEY, own, source, upto=first[-1])
    taken = {module for stage in first for module in table[stage]}
    for collection in new:
        for module, tensors in new[collection].items():
            assert equal(tensors, (source if module in taken else own)[collection][module])
    with pytest.raises(errors.ConfigError, match="no stage 'conv9'"):
        inits.transfusion(KEY, own, source, upto="conv9")


def test_the_slim_hybrid_takes_up_to_block2_from_the_wide_network():
    slim, wide = (models.shapes(models.create(name, 2), 32) for name in ("resnet50_slim", "resnet50"))

    def shapes(upto):
        return jax.eval_shape(lambda o, s: inits.transfusion(KEY, o, s, upto=upto), slim, wide)

    assert jax.tree.leaves(shapes("block2")) == jax.tree.leaves(slim)
    with pytest.raises(errors.ConfigError, match=r"params/block3/unit1/.* in the source and .*upto='block2' is as far as this source fits"):
        shapes("block3")
    with pytest.raises(errors.ConfigError, match="upto='block2' is as far"):
        jax.eval_shape(lambda o, s: inits.pretrained(KEY, o, s), slim, wide)
    # Two numbers of a tensor do for Mean-Var, whatever the widths; batch norms taken whole do not fit.
    assert jax.tree.leaves(jax.eval_shape(lambda o, s: inits.mean_var(KEY, o, s), slim, wide)) == jax.tree.leaves(slim)
    for refused in (inits.build("mean_var", batch_norm="pretrained"), inits.build("resample", keep="values")):
        with pytest.raises(errors.ConfigError, match="the same network with the same widths"):
            jax.eval_shape(lambda o, s, refused=refused: refused(KEY, o, s), slim, wide)


def test_the_slim_hybrid_with_numbers():
    narrow, wide = (filled("resnet50", seed, widths=w) for seed, w in ((0, (8, 8, 4, 4)), (1, (8, 8, 8, 8))))
    new = inits.transfusion(KEY, narrow, wide, upto="block2")
    assert equal(new["params"]["block2"], wide["params"]["block2"])
    assert equal(new["params"]["block3"], narrow["params"]["block3"])


def test_a_source_of_another_shape_or_network_is_an_error(cbr):
    own, source = cbr
    other = {**source, "params": {**source["params"], "conv1": {"kernel": jnp.zeros((1, 1, 3, 4))}}}
    with pytest.raises(errors.ConfigError, match=r"params/conv1/kernel has shape \(1, 1, 3, 4\) in the source .* not even the first stage"):
        inits.pretrained(KEY, own, other)
    with pytest.raises(errors.ConfigError, match=r"params/conv1/kernel has shape"):
        inits.resample(KEY, own, other, keep="values")
    lacking = {**source, "params": {m: t for m, t in source["params"].items() if m != "bn1"}}
    with pytest.raises(errors.ConfigError, match="has not the same tensors in params/bn1"):
        inits.transfusion(KEY, own, lacking, upto="conv1")
    with pytest.raises(errors.ConfigError, match="the source has no tensor params/bn1/bias"):
        inits.mean_var(KEY, own, lacking, batch_norm="pretrained")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_draws_every_kernel_with_its_variance(cbr, scheme):
    own, _ = cbr
    new = inits.random(KEY, own, scheme=scheme)
    assert equal(rest(new), rest(own))
    for drawn in convolutions(new).values():
        kh, kw, c, d = drawn.shape
        fan_in, fan_out = kh * kw * c, kh * kw * d
        variance = {"he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out), "lecun": 1 / fan_in, "tf": 2 / (fan_in + fan_out)}[scheme.split("_")[0]]
        # Five standard errors; both distributions have lighter tails than a normal one, whose std has error s / sqrt(2 n).
        assert abs(drawn.std() - variance**0.5) < 5 * (variance / (2 * drawn.size)) ** 0.5
        assert abs(drawn.mean()) < 5 * (variance / drawn.size) ** 0.5
        # Uniform within sqrt(3) standard deviations; normal cut off at two, of what is stretched by 1 / 0.8796.
        bound = 2 / 0.8796 if scheme.endswith("normal") else 3**0.5
        assert 0.9 * bound < np.abs(drawn).max() / variance**0.5 < 1.001 * bound


def test_tf_default_is_glorot_uniform_and_biases_stay():
    own = filled(seed=0, **NETWORKS["resnet50_keras"])
    new = inits.random(KEY, own, scheme="tf_default")
    assert equal(new, inits.random(KEY, own, scheme="glorot_uniform"))
    for path, tensor in convolutions(new).items():
        assert np.array_equal(tensor, convolutions(own)[path]) == (path[-1] == "bias")
