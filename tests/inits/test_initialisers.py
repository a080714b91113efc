import pytest

from transfer_jax import inits
from transfer_jax.core import errors

REQUIRED = {"transfusion": {"upto": "conv1"}, "resample": {"keep": "values"}}


def test_every_initialiser_is_found_by_name():
    for name in inits.names():
        assert callable(inits.build(name, **REQUIRED.get(name, {})))
        assert inits.options(name).required == REQUIRED.get(name, {}).keys()
    assert {name: inits.options(name).optional for name in inits.names()} == {
        "random": {"scheme"},
        "pretrained": set(),
        "mean_var": {"batch_norm", "distribution"},
        "transfusion": set(),
        "gabor": {"scale"},
        "resample": {"batch_norm"},
    }


def test_chains_read_what_their_parts_read():
    read = inits.options("resample+gabor")
    assert (read.required, read.optional) == ({"keep"}, {"batch_norm", "scale"})
    assert callable(inits.build("resample+gabor", keep="values", scale="he"))


def test_who_needs_a_source():
    assert {"pretrained", "mean_var", "transfusion", "resample"} == inits.NEEDS_SOURCE
    needs = inits.needs_source
    assert not needs("random")
    assert not needs("random", scheme="he_normal")
    assert not needs("gabor")
    assert not needs("random+gabor", scale="he")
    assert needs("mean_var")
    assert needs("gabor", scale="pretrained")
    assert needs("random+gabor", scale="pretrained")
    assert needs("gabor+transfusion", upto="conv1")


@pytest.mark.parametrize(
    ("short", "parsed"),
    [
        ("random", ("random", {})),
        ("random:he_normal", ("random", {"scheme": "he_normal"})),
        ("transfusion:block2", ("transfusion", {"upto": "block2"})),
        ("mean_var:pretrained", ("mean_var", {"batch_norm": "pretrained"})),
        ("resample:values", ("resample", {"keep": "values"})),
        ("gabor:pretrained", ("gabor", {"scale": "pretrained"})),
        ("mean_var+transfusion:conv2+gabor", ("mean_var+transfusion+gabor", {"upto": "conv2"})),
    ],
)
def test_in_short(short, parsed):
    assert inits.parse(short) == parsed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: inits.build("mean_vor"),
            "unknown initialiser 'mean_vor': did you mean 'mean_var'",
        ),
        (lambda: inits.build("mean_var+gabr"), "unknown initialiser 'gabr': did you mean 'gabor'"),
        (
            lambda: inits.build("mean_var", batchnorm="own"),
            "initialiser 'mean_var' does not read 'batchnorm': did you mean 'batch_norm'",
        ),
        (
            lambda: inits.build("pretrained", upto="conv1"),
            "initialiser 'pretrained' does not read 'upto'",
        ),
        (lambda: inits.build("resample"), "initialiser 'resample' needs 'keep'"),
        (
            lambda: inits.build("resample", keep="valeus"),
            "unknown keep='valeus': did you mean 'values'",
        ),
        (lambda: inits.parse("pretrained:conv1"), "nothing may follow 'pretrained'"),
        (
            lambda: inits.parse("mean_var:own+mean_var:pretrained"),
            "batch_norm is both 'own' and 'pretrained'",
        ),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(errors.ConfigError, match=message):
        call()
