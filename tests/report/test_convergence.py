"""Learning curves, of all labels together and of single ones."""

import math

import made_runs
import numpy as np
import pytest

from transfer_jax.report import convergence, summaries
from transfer_jax.report.figures import learning_curves

CHEST = tuple(f"finding {i}" for i in range(11))


def titles(run):
    by_arm = summaries.summaries(run.study, run.rows)
    return {section.title: section for section in convergence.sections(run, by_arm)}


@pytest.fixture(scope="module")
def chest(tmp_path_factory):
    study = made_runs.study(CHEST, repeats=1, evaluation={"resamples": 100, "groups": ()})
    return made_runs.finished(tmp_path_factory.mktemp("chest") / "w", study, images=40, test=False)


def test_single_labels_have_curves_where_there_are_several(made):
    note = titles(made("labels"))["Learning curves per label"].note
    assert note.startswith("Validation AUC of single labels. Thin lines: repeats")
    assert "Learning curves per label" not in titles(made("binary"))
    assert (
        "A class is judged against the rest."
        in titles(made("grades"))["Learning curves per label"].note
    )


def test_lines_are_the_columns_of_the_history(made, drawn):
    run = made("labels")
    axes = drawn(learning_curves.per_label, run.study, run.entries, 20, ["Edema", "Mass"])
    assert [panel.get_title() for panel in axes] == ["Edema", "Mass"]
    curves = [
        [entry["auc/Mass"] for entry in run.entries if entry["member"] == f"mean_var-{repeat}"]
        for repeat in (0, 1)
    ]
    thin = axes[1].lines[3:5]
    np.testing.assert_array_equal([line.get_ydata() for line in thin], curves)
    mean = axes[1].lines[5]
    assert mean.get_label() == "mean_var" and list(mean.get_xdata()) == [0, 10, 20]
    np.testing.assert_allclose(mean.get_ydata(), np.mean(curves, 0))


def test_of_many_labels_those_with_most_positives_are_drawn(chest, monkeypatch):
    asked = []
    monkeypatch.setattr(learning_curves, "per_label", lambda *args: asked.append(args[3]))
    note = titles(chest)["Learning curves per label"].note
    assert "Of 11 labels, the 9 with most positive validation images" in note
    positives = chest.scored("random-0", "val", "best").indicators.sum(0)
    least = sorted(range(11), key=lambda i: -positives[i])[:9]
    assert asked == [[CHEST[i] for i in sorted(least)]]


def test_the_first_labels_are_drawn_where_nothing_is_known_of_positives(chest, monkeypatch):
    monkeypatch.setattr(type(chest), "check_file", lambda self, name: None)
    note = titles(chest)["Learning curves per label"].note
    assert "Of 11 labels, the first 9; all are in history.csv." in note


def test_labels_without_a_value_and_diverged_members_are_drawn_as_far_as_they_are(made, drawn):
    run = made("labels")
    entries = [dict(entry) for entry in run.entries]
    for entry in entries:
        entry["diverged"] = entry["member"] == "random-0" and entry["step"] > 0
        entry["auc/Edema"] = math.nan
        del entry["auc/Mass"]
    first, second = drawn(learning_curves.per_label, run.study, entries, 20, ["Edema", "Mass"])
    for axes in (first, second):
        assert [line.get_marker() for line in axes.lines].count("x") == 1
        assert all(np.isnan(line.get_ydata()).all() for line in axes.lines)


def test_an_arm_that_ends_below_the_cut_is_seen_whole(made, drawn):
    run = made("labels")
    entries = [{**entry, "auc/Mass": entry["auc/Mass"] - 0.5} for entry in run.entries]
    high, low = drawn(learning_curves.per_label, run.study, entries, 20, ["Edema", "Mass"])
    assert high.get_ylim()[0] >= learning_curves.LOWEST_AUC
    ends = [
        line.get_ydata()[-1] for line in low.lines if line.get_label() in ("random", "mean_var")
    ]
    assert low.get_ylim()[0] < min(ends)
