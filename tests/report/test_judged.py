"""Sections of results: each number with its split, weights, group and interval."""

import dataclasses
import math
import shutil

import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.report import estimates, html, judged, wording
from transfer_jax.runs import layout, summary
from transfer_jax.runs.run import Run


def sections(run):
    return {section.title: section for section in judged.sections(run)}


def changed(run, **facts):
    """The run with other facts of its data."""
    again = Run(run.folder)
    data = dataclasses.replace(run.record.data, **facts)
    again.record = dataclasses.replace(run.record, data=data)
    return again


def test_results_are_those_of_the_summary_for_both_weights(made):
    run = made("binary")
    section = sections(run)["Test results"]
    header, cells = section.table
    assert header == ["arm", "weights", "AUC", "F1"]
    assert [line[:2] for line in cells] == [
        ["random", "last"], ["random", "best"], ["mean_var", "last"], ["mean_var", "best"],
    ]  # fmt: skip
    rows = summary.from_csv(run.folder / layout.SUMMARY)
    (row,) = [
        row
        for row in rows
        if (row["arm"], row["split"], row["weights"]) == ("mean_var", "test", "best")
        and (row["metric"], row["label"], row["group"]) == ("auc", "", "")
    ]
    assert cells[3][2] == estimates.number(row)
    assert section.note == (
        "On 120 test images: mean ± sample standard deviation over 2 repeats, and in brackets the "
        "95 % interval of the mean over patients (BCa bootstrap, 100 resamples of the patients). "
        "Last: weights of the last step; best: best weights (lowest validation loss). A label is "
        "called positive from a probability of 0.5 on."
    )


def test_a_number_without_an_interval_says_so():
    row = {"mean": 1.0, "std": 0.0, "low": math.nan, "high": math.nan, "reason": "all equal"}
    assert estimates.number(row) == "1.000 ± 0.000 (no interval)"
    assert estimates.number(row | {"reason": ""}) == "1.000 ± 0.000"
    assert estimates.number(row | {"mean": math.nan}) == "- (all equal)"
    assert estimates.number(row | {"low": 0.5, "high": 1.0}) == "1.000 ± 0.000 [0.500, 1.000]"


def test_the_order_is_results_differences_labels_groups_gaps(made):
    assert list(sections(made("binary"))) == [
        "Test results",
        "Test results: differences from random",
        "Test AUC per group",
        "Test results: largest gaps between groups",
    ]
    assert list(sections(made("labels")))[2] == "Validation AUC per label"


def test_best_weights_chosen_on_the_judged_images_are_marked(made):
    by_title = sections(made("labels"))
    results = by_title["Validation results"]
    assert [line[1] for line in results.table[1]] == ["last", "best (optimistic)"] * 2
    assert "best weights were chosen on the images that judge them here" in results.note
    compared = by_title["Validation results: differences from random"].table[1]
    assert {line[1] for line in compared} == {"last", "best (optimistic)"}
    labels = by_title["Validation AUC per label"]
    assert [line[0] for line in labels.table[1]] == ["Edema", "Mass", "No Finding"]
    assert labels.note.startswith("On 120 validation images, by the weights of the last step. AUC")

    folds = changed(made("binary"), optimistic=True, folds=2)
    results = sections(folds)["Test results"]
    assert results.table[1][1][1] == "best (optimistic)"
    assert "The test images are the validation images, too" in results.note
    assert "of the first fold (each repeat has a fold of its own)" in results.note
    assert "by the weights of the last step" in sections(folds)["Test AUC per group"].note


def test_a_training_that_these_images_ended_is_marked(made):
    run = changed(made("labels"))
    recipe = dataclasses.replace(run.study.recipe, patience=2)
    run.study = dataclasses.replace(run.study, recipe=recipe)
    note = sections(run)["Validation AUC per label"].note
    assert "Training stopped early by these images, so that the results are optimistic." in note


@pytest.mark.parametrize(
    ("threshold", "optimistic", "words"),
    [
        ("youden", False, "highest on these images, which is optimistic"),
        ("validation", False, "highest on the validation images"),
        ("validation", True, "highest on these images, which is optimistic"),
    ],
)
def test_where_a_label_is_called_positive_is_told(made, threshold, optimistic, words):
    run = changed(made("binary"), optimistic=optimistic)
    evaluation = dataclasses.replace(run.study.evaluation, threshold=threshold)
    run.study = dataclasses.replace(run.study, evaluation=evaluation)
    assert sections(run)["Test results"].note.endswith(f"{words}.")


def test_referable_grades_and_classes_against_the_rest_are_told(made):
    by_title = sections(made("grades"))
    assert "judge grade >= 2 against the rest" in by_title["Test results"].note
    assert "called positive" not in by_title["Test results"].note
    assert "A class is judged against the rest." in by_title["Test AUC per label"].note


def test_groups_stand_beside_their_sizes_and_their_gap_below(made):
    by_title = sections(made("binary"))
    header, cells = by_title["Test AUC per group"].table
    assert header == ["group", "images", "patients", "random", "mean_var"]
    assert [line[:3] for line in cells] == [["sex=F", "60", "30"], ["sex=M", "60", "30"]]
    header, cells = by_title["Test results: largest gaps between groups"].table
    assert header == ["groups", "metric", "random", "mean_var"]
    assert [line[:2] for line in cells] == [["sex", "AUC"], ["sex", "F1"]]
    # One group's scores are noise; a weak arm's difference may not be seen.
    assert cells[0][3].startswith("sex=F above sex=M by 0.")
    assert (
        "95 % interval over patients" in by_title["Test results: largest gaps between groups"].note
    )


GAP = {"mean": 0.05, "low": 0.01, "high": 0.09, "highest": "sex=F", "lowest": "sex=M", "reason": ""}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "sex=F above sex=M by 0.050 [0.010, 0.090]"),
        ({"low": 0.0}, "no difference seen (sex=F above sex=M by 0.050 [0.000, 0.090])"),
        (
            {"low": math.nan, "high": math.nan, "reason": "too few"},
            "not known (sex=F above sex=M by 0.050; too few)",
        ),
        (
            {"mean": math.nan, "reason": "fewer than two groups"},
            "not known (fewer than two groups)",
        ),
    ],
)
def test_gaps_in_words(changes, words):
    assert estimates.gap_in_words({**GAP, **changes}) == words


def test_a_gap_of_no_row_is_a_dash():
    assert estimates.gap_in_words(None) == "-"


def test_gaps_have_a_line_in_the_table_of_a_terminal():
    row = {**GAP, "group": "sex", "images": 8, "patients": 4, "label": "", "metric": "auc_gap"}
    header, (cells,) = estimates.table([row])
    assert header[0] == "group"
    assert cells[-3:] == ["auc_gap", "0.0500 (sex=F above sex=M)", "[0.0100, 0.0900]"]


def test_best_weights_are_named_by_what_chose_them(made):
    study = made("binary").study
    for select, words in (("loss", "lowest validation loss"), ("auc/Edema", "highest validation")):
        recipe = dataclasses.replace(study.recipe, select=select)
        assert words in wording.weights(dataclasses.replace(study, recipe=recipe), "best")


def test_an_unfinished_study_has_no_results_and_a_changed_summary_is_told(made, tmp_path):
    folder = shutil.copytree(made("binary").folder, tmp_path / "w")
    (folder / layout.SUMMARY).write_text("arm\n")
    with pytest.raises(ConfigError, match=r"summary\.csv is not as the study left it"):
        judged.sections(Run(folder))
    run = Run(folder)
    run.check_file = lambda name: None
    assert judged.sections(run) == []


def test_numbers_of_a_table_are_not_broken_over_lines_and_wide_tables_scroll():
    section = html.Section(
        title="t", note="n", table=(("a",), (("0.81 ± 0.02 [0.75, 0.86] of <b>, c",),))
    )
    page = html.page("t", "l", {}, [section])
    assert "0.81\N{NO-BREAK SPACE}± 0.02".replace("± ", "±\N{NO-BREAK SPACE}") in page
    assert "0.02 [0.75,\N{NO-BREAK SPACE}0.86] of &lt;b&gt;, c" in page
    assert '<div class="wide"><table>' in page and "overflow-x: auto" in page
