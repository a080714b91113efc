"""Full transfer, and transfusion of the first stages."""

import jax
import jax.numpy as jnp
import pytest
from small_networks import equal, filled

from transfer_jax import inits, models
from transfer_jax.core import errors

KEY = jax.random.key(0)


def test_pretrained_takes_all_but_the_head(pair):
    own, source = pair
    new = inits.pretrained(KEY, own, source)
    for collection in new:
        for module, tensors in new[collection].items():
            assert equal(
                tensors,
                own[collection][module] if module == models.HEAD else source[collection][module],
            )


def test_a_source_may_lack_the_head(cbr):
    own, source = cbr
    headless = models.without(source, models.HEADS)
    for initialise in (
        inits.pretrained,
        inits.build("mean_var", batch_norm="pretrained"),
        inits.build("resample", keep="values"),
    ):
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
    slim, wide = (
        models.shapes(models.create(name, 2), 32) for name in ("resnet50_slim", "resnet50")
    )

    def shapes(upto):
        return jax.eval_shape(lambda o, s: inits.transfusion(KEY, o, s, upto=upto), slim, wide)

    assert jax.tree.leaves(shapes("block2")) == jax.tree.leaves(slim)
    with pytest.raises(
        errors.ConfigError,
        match=(
            r"params/block3/unit1/.* in the source and .*upto='block2' is as far as this source"
            r" fits"
        ),
    ):
        shapes("block3")
    with pytest.raises(errors.ConfigError, match="upto='block2' is as far"):
        jax.eval_shape(lambda o, s: inits.pretrained(KEY, o, s), slim, wide)
    # Two numbers of a tensor do for Mean-Var, whatever the widths; batch norms taken whole do not
    # fit.
    assert jax.tree.leaves(
        jax.eval_shape(lambda o, s: inits.mean_var(KEY, o, s), slim, wide)
    ) == jax.tree.leaves(slim)
    for refused in (
        inits.build("mean_var", batch_norm="pretrained"),
        inits.build("resample", keep="values"),
    ):
        with pytest.raises(errors.ConfigError, match="the same network with the same widths"):
            jax.eval_shape(lambda o, s, refused=refused: refused(KEY, o, s), slim, wide)


def test_the_slim_hybrid_with_numbers():
    narrow, wide = (
        filled("resnet50", seed, widths=w) for seed, w in ((0, (8, 8, 4, 4)), (1, (8, 8, 8, 8)))
    )
    new = inits.transfusion(KEY, narrow, wide, upto="block2")
    assert equal(new["params"]["block2"], wide["params"]["block2"])
    assert equal(new["params"]["block3"], narrow["params"]["block3"])


def test_a_source_of_another_shape_or_network_is_an_error(cbr):
    own, source = cbr
    other = {
        **source,
        "params": {**source["params"], "conv1": {"kernel": jnp.zeros((1, 1, 3, 4))}},
    }
    with pytest.raises(
        errors.ConfigError,
        match=(
            r"params/conv1/kernel has shape \(1, 1, 3, 4\) in the source .* not even the first"
            r" stage"
        ),
    ):
        inits.pretrained(KEY, own, other)
    with pytest.raises(errors.ConfigError, match=r"params/conv1/kernel has shape"):
        inits.resample(KEY, own, other, keep="values")
    lacking = {**source, "params": {m: t for m, t in source["params"].items() if m != "bn1"}}
    with pytest.raises(errors.ConfigError, match="does not have the same tensors in params/bn1"):
        inits.transfusion(KEY, own, lacking, upto="conv1")
    with pytest.raises(errors.ConfigError, match="the source has no tensor params/bn1/bias"):
        inits.mean_var(KEY, own, lacking, batch_norm="pretrained")
