"""Arms over repeats: means, intervals, differences, groups, and referable disease."""

import math

import numpy as np
import pytest
from made_predictions import made, rule

from transfer_jax import metrics
from transfer_jax.core.errors import ConfigError
from transfer_jax.metrics import grades
from transfer_jax.runs import evaluations, judging, summary
from transfer_jax.stats import bootstrap, weighted_auc


def judged(kind, how, seeds, noise=1.0):
    return {r: judging.judge(made(kind, seed=s, noise=noise), how) for r, s in enumerate(seeds)}


def row(rows, metric="auc", label="", group=""):
    (found,) = [
        each
        for each in rows
        if (each["metric"], each["label"], each["group"]) == (metric, label, group)
    ]
    return found


def test_means_are_those_of_the_repeats():
    how = rule("multilabel", ("auc", "f1"))
    repeats = judged("multilabel", how, (0, 1, 2))
    rows = summary.of_arm(repeats, how, "here")
    for label in ("", "Edema", "Effusion"):
        values = [
            next(v.value for v in metrics.measure(one.scored, ["auc"]) if v.label == label)
            for one in repeats.values()
        ]
        got = row(rows, label=label)
        assert got["mean"] == pytest.approx(np.mean(values))
        assert got["std"] == pytest.approx(np.std(values, ddof=1))
        assert got["low"] < got["mean"] < got["high"]
        assert (got["repeats"], got["images"], got["patients"]) == (3, 120, 60)
    assert math.isnan(row(rows, "auc_micro")["low"])


def test_the_interval_of_one_repeat_is_the_bootstrap_of_its_patients():
    how = rule("binary")
    repeats = judged("binary", how, (0,))
    one = repeats[0]
    expected = bootstrap.interval(
        weighted_auc.statistic(
            one.scored.log_odds[:, 0], one.scored.indicators[:, 0] > 0.5, one.scored.mask[:, 0]
        ),
        one.patients,
        resamples=200,
    )
    got = row(summary.of_arm(repeats, how, "here"))
    assert (got["low"], got["high"]) == (expected.low, expected.high)


def test_an_arm_differs_from_a_worse_one_and_not_from_itself():
    how = rule("binary")
    good, bad = judged("binary", how, (0, 1, 2), 0.5), judged("binary", how, (3, 4, 5), 5.0)
    better = row(summary.of_arm(good, how, "here", bad))
    assert better["difference"] == pytest.approx(
        better["mean"] - row(summary.of_arm(bad, how, "here"))["mean"]
    )
    assert better["difference_low"] > 0 and better["repeats_low"] > 0 and better["p"] < 0.05
    same = row(summary.of_arm(good, how, "here", good))
    assert same["difference"] == 0 and math.isnan(same["difference_low"])


def test_one_repeat_is_compared_by_delong():
    how = rule("binary")
    good, bad = judged("binary", how, (0,), 0.5), judged("binary", how, (3,), 5.0)
    assert 0 < row(summary.of_arm(good, how, "here", bad))["p"] < 0.05


def test_arms_are_compared_over_the_repeats_that_both_have():
    how = rule("binary")
    good, bad = judged("binary", how, (0, 1, 2), 0.5), judged("binary", how, (3, 4, 5), 5.0)
    del bad[1]
    without = {r: one for r, one in good.items() if r != 1}
    got, expected = (row(summary.of_arm(arm, how, "here", bad)) for arm in (good, without))
    assert got["difference"] == pytest.approx(expected["difference"])


def test_groups_are_judged_by_their_own_images_and_small_ones_are_counted():
    how = rule("binary", groups=("sex", "age:40,60"), smallest_group=31)
    repeats = judged("binary", how, (0,))
    rows = summary.of_arm(repeats, how, "here")
    women = repeats[0].scored.take(np.flatnonzero(repeats[0].columns["sex"] == "F"))
    assert row(rows, group="sex=F")["mean"] == metrics.measure(women, ["auc"])[0].value
    small = row(rows, group="age=40-60")
    assert small["images"] == 30 and math.isnan(small["mean"])
    assert small["reason"] == "fewer than 31 images"
    assert not [each for each in rows if each["group"] == "age="]


def test_a_group_of_no_column_is_told():
    how = rule("binary", groups=("race",))
    with pytest.raises(ConfigError, match="test images of set has no column 'race'"):
        summary.of_arm(judged("binary", how, (0,)), how, "test images of set")


def test_referable_disease_is_judged_over_all_labels_and_grades_by_their_own():
    how = rule("multiclass", ("auc", "kappa"), referable=2)
    repeats = judged("multiclass", how, (0,))
    rows = evaluations.of_scored(repeats[0], how, "here")
    disease = grades.referable(repeats[0].scored, 2)
    assert row(rows)["value"] == metrics.measure(disease, ["auc"])[0].value
    plain = metrics.measure(repeats[0].scored, ["auc", "kappa"])
    by_label = {value.label: value.value for value in plain if value.metric == "auc"}
    assert row(rows, label="grade=1")["value"] == by_label["grade=1"]
    kappa = next(value.value for value in plain if value.metric == "kappa")
    assert row(rows, "kappa")["value"] == kappa
    summed = summary.of_arm(repeats, how, "here")
    assert row(summed)["low"] < row(rows)["value"] < row(summed)["high"]


def test_a_table_is_read_back(tmp_path):
    how = rule("binary", groups=("sex",))
    rows = summary.of_arm(judged("binary", how, (0, 1)), how, "here")
    rows = [{"arm": "a", "split": "test", "weights": "best"} | each for each in rows]
    summary.write(tmp_path, rows)
    again = summary.from_csv(tmp_path / "summary.csv")
    assert [each["group"] for each in again] == [each["group"] for each in rows]
    assert [each["mean"] for each in again] == [each["mean"] for each in rows]
