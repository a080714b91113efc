"""Largest gaps between groups in the summary of an arm."""

import math

import numpy as np
import pytest
from made_predictions import made, rule

from transfer_jax.runs import judging, summary
from transfer_jax.stats import subgroups


def judged(kind, how, seeds, noise=1.0):
    return {r: judging.judge(made(kind, seed=s, noise=noise), how) for r, s in enumerate(seeds)}


def gaps(repeats, how):
    rows = summary.of_arm(repeats, how, "here")
    return {(row["group"], row["metric"]): row for row in rows if row["metric"].endswith("_gap")}


def test_the_gap_of_one_repeat_is_that_of_its_scores():
    how = rule("binary", groups=("sex",))
    repeats = judged("binary", how, (0,))
    one = repeats[0]
    expected = subgroups.auc_gap(
        one.scored.log_odds[:, 0], one.scored.indicators[:, 0] > 0.5, one.columns["sex"],
        one.patients, counted=one.scored.mask[:, 0], resamples=200,
    )  # fmt: skip
    (row,) = gaps(repeats, how).values()
    assert (row["mean"], row["low"], row["high"]) == expected[:3]
    assert row["highest"] == f"sex={expected.highest}" and row["lowest"] == f"sex={expected.lowest}"
    assert (row["label"], row["images"], row["patients"], row["repeats"]) == ("", 120, 60, 1)
    assert row["reason"] == ""


def test_gaps_are_between_means_over_repeats_for_every_metric_with_a_statistic():
    how = rule("multilabel", ("auc", "f1"), groups=("sex", "age:40,60"))
    rows = summary.of_arm(judged("multilabel", how, (0, 1)), how, "here")
    found = {(row["group"], row["metric"]): row for row in rows if "highest" in row}
    assert list(found) == [
        ("sex", "auc_gap"), ("sex", "f1_gap"), ("age", "auc_gap"), ("age", "f1_gap"),
    ]  # fmt: skip
    means = {
        row["group"]: row["mean"] for row in rows if row["metric"] == "f1" and not row["label"]
    }
    ages = {group: mean for group, mean in means.items() if group.startswith("age=")}
    row = found["age", "f1_gap"]
    assert row["mean"] == pytest.approx(max(ages.values()) - min(ages.values()))
    assert ages[row["highest"]] == max(ages.values()) and ages[row["lowest"]] == min(ages.values())
    assert row["images"] == 90 and 0 <= row["low"] <= row["mean"] <= row["high"]


def test_small_groups_are_left_out_and_a_single_one_has_no_gap():
    how = rule("binary", groups=("sex", "age:40,60"), smallest_group=31)
    found = gaps(judged("binary", how, (0,)), how)
    assert math.isfinite(found["sex", "auc_gap"]["mean"])
    none = found["age", "auc_gap"]
    assert math.isnan(none["mean"]) and none["reason"] == "fewer than two groups are judged"
    assert (none["images"], none["highest"]) == (0, "")


def test_a_group_that_does_not_define_the_metric_is_left_out():
    how = rule("binary", groups=("age:40,60",))
    repeats = judged("binary", how, (0,))
    young = repeats[0].columns["age"] == "30"
    repeats[0].scored.indicators[young] = 1.0
    row = gaps(repeats, how)["age", "auc_gap"]
    assert {row["highest"], row["lowest"]} == {"age=40-60", "age=60 and over"}
    assert row["images"] == 60


def test_a_summary_with_gaps_is_read_back_and_one_without_them_too(tmp_path):
    how = rule("binary", groups=("sex",))
    rows = [
        {"arm": "a", "split": "test", "weights": "best"} | row
        for row in summary.of_arm(judged("binary", how, (0, 1)), how, "here")
    ]
    summary.write(tmp_path, rows)
    again = summary.from_csv(tmp_path / "summary.csv")
    assert [row["highest"] for row in again] == [row.get("highest", "") for row in rows]
    assert again[-1]["mean"] == rows[-1]["mean"] and np.isnan(again[-1]["std"])
    summary.write(tmp_path, [row for row in rows if "highest" not in row])
    assert {row["highest"] for row in summary.from_csv(tmp_path / "summary.csv")} == {""}


def test_nothing_is_grouped_where_nothing_is_asked():
    how = rule("binary")
    assert gaps(judged("binary", how, (0,)), how) == {}
