import numpy as np
import pytest

from transfer_jax.analysis import cca
from transfer_jax.compare import auc_gains, representations
from transfer_jax.compare.representations import AFTER, BEFORE, TRAINING, Pair

STAGES = ("conv1", "conv2", "conv3")


def study(tiny_study, repeats, arms=("random", "pretrained")):
    return tiny_study(repeats=repeats, arms=arms)


def test_members_are_compared_with_themselves_and_arms_between_repeats(tiny_study):
    made = representations.pairs(study(tiny_study, 3))
    assert [pair for pair in made if pair.what == TRAINING] == [
        Pair(TRAINING, arm, r, arm, r) for arm in ("random", "pretrained") for r in range(3)
    ]
    for what in (BEFORE, AFTER):
        own = [pair[1:] for pair in made if pair.what == what]
        assert len(own) == 6 and len(set(own)) == 6
        assert all(pair[1] < pair[3] and pair[2] == "random" for pair in own)


def test_one_repeat_compares_arms_within_it(tiny_study):
    assert [
        pair[1:] for pair in representations.pairs(study(tiny_study, 1)) if pair.what == AFTER
    ] == [("pretrained", 0, "random", 0)]


@pytest.fixture
def likenesses(tiny_study):
    """Networks are numbers here; two are the more alike the nearer their numbers, and the less the
    higher the stage.
    """
    chosen = study(tiny_study, 3)
    names = [arm.member(r) for arm in chosen.arms for r in range(3)]
    before, after = ({name: float(i + shift) for i, name in enumerate(names)} for shift in (0, 10))
    seen = []

    def probe(repeat, first, second):
        seen.append((repeat, first, second))
        values = [1 / (1 + abs(first - second) + i) for i in range(len(STAGES))]
        return {
            s: (cca.CCA(np.full(4, v), 4, 4, 100, v, v + 0.01, 0.05),) * 2
            for s, v in zip(STAGES, values, strict=True)
        }

    return seen, representations.compare(chosen, probe, before, after)


def test_networks_are_taken_before_or_after_their_training(likenesses):
    seen, found = likenesses
    assert len(found) == len(STAGES) * len(seen) == len(STAGES) * (6 + 6 + 6)
    assert seen[:3] == [(0, 0.0, 10.0), (1, 1.0, 11.0), (2, 2.0, 12.0)]
    assert seen[6] == (0, 0.0, 1.0) and seen[-1] == (1, 14.0, 12.0)


def test_what_the_figures_show(likenesses):
    _, found = likenesses
    assert representations.stages(found) == list(STAGES)
    own = representations.curves(found, TRAINING)
    assert list(own) == [("random", "random"), ("pretrained", "pretrained")]
    assert (
        own["random", "random"]
        == [{s: pytest.approx(1 / (11 + i)) for i, s in enumerate(STAGES)}] * 3
    )
    assert representations.chance(found) == dict.fromkeys(STAGES, pytest.approx(0.05))
    top = representations.top(found)
    assert top["random", "random"] == pytest.approx(
        [(1 / 3 + 1 / 4) / 2, (1 / 4 + 1 / 5) / 2, (1 / 3 + 1 / 4) / 2]
    )
    both = representations.before_and_after(found)["conv2"]
    np.testing.assert_allclose(
        both["pretrained", "random"], [(1 / 4, 1 / 4), (1 / 3, 1 / 3), (1 / 4, 1 / 4)]
    )


def judged(split, weights="last", **auc):
    """Rows of evaluations.csv: all images of a split, and one group that no gain is of."""
    return [
        {"arm": arm, "repeat": r, "split": split, "weights": weights, "group": group, "label": ""}
        | {"metric": "auc", "value": value if not group else 0.1}
        for arm, values in auc.items()
        for r, value in enumerate(values)
        for group in ("", "sex=F")
    ]


def test_gains_are_over_the_first_arm_of_the_same_repeat(likenesses):
    _, found = likenesses
    rows = judged("val", random=(0.5, 0.8, 0.6), pretrained=(0.6, 0.8, 0.9))
    points = auc_gains.of_tables(rows, found)
    assert [point.gain for point in points] == pytest.approx([0.2, 0.0, 0.5])
    assert {(point.label, point.split) for point in points} == {("pretrained", "val")}
    assert points[0].similarity == {s: pytest.approx(1 / (11 + i)) for i, s in enumerate(STAGES)}
    rows[0]["value"] = 0.0  # the first arm's first repeat
    assert len(auc_gains.of_tables(rows, found)) == 2


def test_gains_are_those_of_test_images_by_the_weights_that_were_compared(likenesses):
    _, found = likenesses
    rows = judged("val", random=(0.5,) * 3, pretrained=(0.9,) * 3)
    rows += judged("test", random=(0.5,) * 3, pretrained=(0.6,) * 3)
    rows += judged("test", "best", random=(0.5,) * 3, pretrained=(0.7,) * 3)
    points = auc_gains.of_tables(rows, found)
    assert [point.gain for point in points] == pytest.approx([0.2] * 3)
    best = [each._replace(weights="best") for each in found]
    assert [point.gain for point in auc_gains.of_tables(rows, best)] == pytest.approx([0.4] * 3)
    assert {point.split for point in points} == {"test"}
