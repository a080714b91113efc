import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.optim import rates

PATHS = [
    "conv1/kernel",
    "bn1/scale",
    "bn1/bias",
    "block1/unit1/conv1/kernel",
    "block1/unit1/bn1/scale",
    "head/kernel",
    "head/bias",
]
GROUPS = {"conv1": ("conv1", "bn1"), "block1": ("block1",), "head": ("head",)}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (("all=1",), [1] * 7),
        (("head=1", "all=0"), [0, 0, 0, 0, 0, 1, 1]),
        (("conv1=0", "all=1"), [0, 0, 0, 1, 1, 1, 1]),
        ((r".*/scale=0.5", "block1=0.1", "all=1"), [1, 0.5, 1, 0.1, 0.5, 1, 1]),
        (("conv1=1", "block1=2", "head=3"), [1, 1, 1, 2, 2, 3, 3]),
    ],
)
def test_the_first_rule_that_fits_decides(rules, expected):
    assert list(rates.factors(PATHS, rules, GROUPS).values()) == expected


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (("head=1",), "fits the parameter conv1/kernel and 4 more: end with 'all=0'"),
        (
            ("block9=0", "all=1"),
            "'block9=0' fits no parameter; groups are all, conv1, block1, head",
        ),
        (("all=1", "head=0"), "'head=0' is never reached"),
        (("all=0",), "freeze everything"),
        (("head", "all=1"), "must look like"),
        (("head=fast", "all=1"), "must look like"),
        (("head=-1", "all=1"), "a factor that is not negative"),
        (("head=nan", "all=1"), "a factor that is not negative"),
        (("(=1", "all=1"), "must look like"),
        (("=1", "all=1"), "a factor that is not negative"),
    ],
)
def test_rules_that_cannot_be_meant_are_errors(rules, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        rates.factors(PATHS, rules, GROUPS)
