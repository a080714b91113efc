import dataclasses
import math

import pytest

from transfer_jax.core import ranges
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.options import choice, reads_of, select


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    share: ranges.Share = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    steps: ranges.PositiveInt = 1
    rate: ranges.NotNegativeFloat | None = None
    seed: ranges.Seed = 0
    momentum: ranges.ClosedShare = 1.0
    auc: ranges.AboveChance = 0.9
    folds: ranges.Several | None = None
    free: float = 0.0
    parts: tuple[Inner, ...] = ()
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "here.steps=0 must be positive"),
        ({"rate": -1e-9}, "here.rate=-1e-09 must not be negative"),
        ({"seed": 2**32}, "here.seed=4294967296 must not be negative, nor above 4294967295"),
        ({"momentum": 1.1}, "here.momentum=1.1 must lie in [0, 1]"),
        ({"auc": 0.5}, "here.auc=0.5 must lie between 0.5 and 1"),
        ({"folds": 1}, "here.folds=1 must be at least 2"),
        ({"free": math.inf}, "here.free=inf must be a finite number"),
        ({"rate": math.nan}, "here.rate=nan must be a finite number"),
        ({"parts": (Inner(), Inner(share=1.0))}, "here.parts[1].share=1.0 must lie in [0, 1)"),
        ({"inner": Inner(share=-0.1)}, "here.inner.share=-0.1 must lie in [0, 1)"),
    ],
)
def test_numbers_outside_are_named_with_their_place(change, message):
    with pytest.raises(ConfigError) as error:
        ranges.check(Section(**change), "here")
    assert str(error.value) == message


def test_numbers_inside_pass():
    ends = {"rate": 0.0, "seed": 2**32 - 1, "momentum": 0.0, "folds": 2, "free": -1e300}
    ranges.check(Section(**ends, parts=(Inner(share=0.0),), inner=Inner()), "here")


@dataclasses.dataclass(frozen=True)
class Kind:
    rate: float
    steps: int = 7


def test_a_kind_reads_its_fields():
    assert reads_of(Kind).required == {"rate"} and reads_of(Kind).optional == {"steps"}
    assert choice("kind", {"a": Kind}).read("a") == reads_of(Kind)
    assert select(Section(steps=3, rate=0.5), Kind) == Kind(0.5, 3)
    with pytest.raises(TypeError, match="rate"):
        select(Section(), Kind)
