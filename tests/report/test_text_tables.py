import math

import numpy as np
import pytest

from transfer_jax import settings
from transfer_jax.report import html, summaries, text_tables
from transfer_jax.runs import results
from transfer_jax.runs import tables as run_tables
from transfer_jax.settings import Arm, Study
from transfer_jax.stats import intervals
from transfer_jax.train import evaluator

HISTORY = [
    {"member": member, "step": step, "auc": auc, "loss": 0.1, "diverged": False}
    for member, curve in {
        "a-0": [0.5, 0.8, 0.7],
        "a-1": [0.5, 0.6, 0.9],
        "b-0": [0.5, 0.5, 0.6],
        "b-1": [0.5, 0.75, 0.74],
    }.items()
    for step, auc in zip((0, 10, 20), curve, strict=True)
]
STUDY = settings.Study(
    arms=(settings.Arm(name="a"), settings.Arm(name="b")), repeats=2, threshold_auc=0.75
)


def test_summaries_by_hand():
    a, b = summaries.summaries(STUDY, results.rows(STUDY, HISTORY))
    assert a.final.mean == pytest.approx((0.7 + 0.9) / 2)
    assert a.final.std == pytest.approx(math.sqrt(0.02))
    assert (a.counted, a.diverged) == (2, {})
    assert abs(a.best.mean - 0.85) < 1e-12
    assert (a.reached, a.steps.mean) == (2, 15.0)
    assert (b.reached, b.steps.mean) == (1, 10.0)
    assert math.isnan(b.steps.std)


def test_the_table_says_how_many_reached_the_threshold():
    text = text_tables.plain(
        text_tables.header(text_tables.HEADER, 0.75),
        [text_tables.cells(s) for s in summaries.summaries(STUDY, results.rows(STUDY, HISTORY))],
    )
    assert "steps to AUC >= 0.75" in text
    assert "0.800 ± 0.141" in text
    assert "10 (1 of 2)" in text
    half = intervals.Spread(0.5, 0.0)
    nothing = summaries.Summary("c", 2, 2, {}, half, half, 0, intervals.Spread.of([]))
    assert text_tables.cells(nothing)[-1] == "not reached"


def test_csv_has_every_key_once():
    assert run_tables.to_csv([{"a": 1}, {"a": 2, "b": "x,y"}]) == 'a,b\n1,\n2,"x,y"\n'


def test_the_page_escapes_and_is_one_file():
    page = html.page(
        "<t>",
        "lead & more",
        {"k": "<v>"},
        [
            html.Section(title="s", note="n", table=(("h",), (("<c>",),))),
            html.Section(title="p", note="n", picture=b"png"),
        ],
    )
    assert "<t>" not in page
    assert "&lt;c&gt;" in page
    assert "lead &amp; more" in page
    assert "data:image/png;base64,cG5n" in page


def test_arms_are_compared_with_the_first_repeat_by_repeat():
    # Paired t interval by hand: differences 0.1, 0.2, 0.3 have mean 0.2, standard error 0.1 /
    # sqrt(3), t(2, 0.975) = 4.302653.
    study = Study(arms=(Arm(name="a"), Arm(name="b", init="pretrained")), repeats=3)
    rows = [
        {
            "arm": arm,
            "repeat": r,
            "final_auc": 0.5 + r / 10 + (0.1 * (r + 1) if arm == "b" else 0),
            "steps_to_threshold": steps,
        }
        for arm, reached in (("a", (10, 20, None)), ("b", (5, 10, 15)))
        for r, steps in enumerate(reached)
    ]
    (found,) = summaries.differences(study, rows)
    assert found.arm == "b"
    assert found.auc.mean == pytest.approx(0.2)
    assert found.auc.half == pytest.approx(4.302653 * 0.1 / np.sqrt(3), rel=1e-6)
    assert not found.auc.clear
    assert (found.steps.mean, found.steps.number) == (-7.5, 2)
    assert text_tables.difference_cells(found)[2:] == ("3", "-7.5 ± 31.8", "2")
    assert intervals.Interval.of([1.0]).number == 1
    assert intervals.Interval.of([1.0, 1.1, 0.9]).clear


def diverging(steps):
    """The history above, in which member "a-1" diverged at `steps`."""
    return [
        {**entry, "auc": math.nan, "loss": math.nan, "diverged": True}
        if entry["member"] == "a-1" and entry["step"] >= steps
        else entry
        for entry in HISTORY
    ]


def test_a_diverged_member_enters_no_mean_and_reaches_nothing():
    table = results.rows(STUDY, diverging(20))
    row = next(row for row in table if (row["arm"], row["repeat"]) == ("a", 1))
    assert (row["diverged_at"], row["steps_to_threshold"]) == (20, None)
    assert math.isnan(row["final_auc"])
    assert (row["best_auc"], row["best_step"]) == (0.6, 10)  # before it diverged
    a, b = summaries.summaries(STUDY, table)
    assert (a.counted, a.repeats, a.final.mean, a.reached) == (1, 2, 0.7, 1)
    assert math.isnan(a.final.std)
    assert text_tables.cells(a)[1:3] == ("1 of 2", "0.700; repeat 1 diverged at step 20")
    assert text_tables.cells(b)[1] == "2"
    (difference,) = summaries.differences(STUDY, table)
    assert difference.auc.number == 1
    assert difference.auc.mean == pytest.approx(-0.1)


def test_a_threshold_that_was_reached_before_a_divergence_does_not_count():
    history = [
        {"member": "a-0", "step": 0, "auc": 0.99, "loss": 1.0, "diverged": False},
        {"member": "a-0", "step": 5, "auc": 0.5, "loss": math.inf, "diverged": True},
    ]
    assert results.steps_to_threshold(history, "a-0", 0.9) is None
    assert results.steps_to_threshold(history[:1], "a-0", 0.9) == 0


def test_an_arm_of_which_every_member_diverged():
    one = Study(arms=(Arm(name="a"),), repeats=1, threshold_auc=0.75)
    entry = {"member": "a-0", "auc": math.nan, "loss": math.nan, "diverged": True}
    history = [{**entry, "step": 0}, {**entry, "step": 5}]
    (summary,) = summaries.summaries(one, results.rows(one, history))
    assert text_tables.cells(summary) == ("a", "0 of 1", "diverged at step 0", "-", "not reached")


def test_what_diverged_together_is_told_together():
    nothing = intervals.Spread.of([])
    summary = summaries.Summary("a", 4, 1, {0: 4, 2: 4, 3: 8}, nothing, nothing, 0, nothing)
    said = "repeats 0, 2 diverged at step 4; repeat 3 diverged at step 8"
    assert text_tables.cells(summary)[2].endswith(said)
    every = summaries.Summary("a", 2, 0, {0: 4, 1: 4}, nothing, nothing, 0, nothing)
    assert text_tables.cells(every)[2] == "diverged at step 4"


@pytest.mark.parametrize("kind", [intervals.Spread, intervals.Interval])
def test_values_that_are_not_numbers_are_left_out_of_a_spread(kind):
    spread = kind.of([0.5, math.nan, 0.7, math.inf])
    assert spread == kind.of([0.5, 0.7])
    assert spread.mean == pytest.approx(0.6)
    assert math.isnan(kind.of([math.nan, math.nan]).mean)
    assert intervals.Interval.of([0.5, math.nan]).number == 1


def test_the_best_auc_is_known_though_the_first_evaluation_has_none():
    one = Study(arms=(Arm(name="a"),), repeats=1)
    aucs = (math.nan, 0.6, 0.8, math.nan)
    history = [
        {"member": "a-0", "step": i, "auc": auc, "loss": 1.0, "diverged": False}
        for i, auc in enumerate(aucs)
    ]
    (row,) = results.rows(one, history)
    assert (row["best_auc"], row["best_step"]) == (0.8, 2)


def test_a_mean_over_some_labels_says_so():
    assert evaluator.labels_in_mean(
        {"auc": 0.5, "auc/a": 0.5, "auc/b": math.nan, "auc_labels": 1}
    ) == (" (1 of 2 labels)")
    assert evaluator.labels_in_mean({"auc": 0.5, "auc/a": 0.5, "auc/b": 0.5, "auc_labels": 2}) == ""
    assert evaluator.labels_in_mean({"auc": 0.5}) == ""
