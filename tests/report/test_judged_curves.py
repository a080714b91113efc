"""Sections of curves and decisions, from the predictions in a run folder."""

import numpy as np
import pytest

from transfer_jax import metrics
from transfer_jax.core.errors import ConfigError
from transfer_jax.metrics import curves, grades
from transfer_jax.report import judged_curves, judged_scores
from transfer_jax.report.figures import (
    confusion_matrices,
    operating_curves,
    reliability_diagram,
)
from transfer_jax.report.judged_scores import Shown


@pytest.fixture
def figures(monkeypatch):
    """What each figure is asked to draw, by its function's name."""
    asked = {}
    for module, name in (
        (operating_curves, "roc"),
        (operating_curves, "precision_recall"),
        (reliability_diagram, "reliability"),
        (confusion_matrices, "confusion"),
    ):
        monkeypatch.setattr(module, name, lambda *args, name=name: asked.update({name: args}))
    return asked


def sections(run):
    return {section.title: section.note for section in judged_curves.sections(run)}


def test_curves_of_one_label_are_those_of_the_stored_test_scores(made, figures):
    run = made("binary")
    notes = sections(run)
    (by_arm,) = (figures["roc"][0]["effusion"],)
    assert list(by_arm) == ["random", "mean_var"]
    for arm, repeats in by_arm.items():
        for repeat, curve in enumerate(repeats):
            expected = curves.roc(run.scored(f"{arm}-{repeat}", "test", "best"))
            np.testing.assert_array_equal(curve.sensitivity, expected.sensitivity)
            np.testing.assert_array_equal(curve.false_positive_rate, expected.false_positive_rate)
    positives = run.scored("random-0", "test", "best").column(0).positive
    assert figures["precision_recall"][1] == {"effusion": pytest.approx(positives.mean())}
    assert notes["ROC curves on test images"] == (
        "On 120 test images, by the best weights (lowest validation loss). Thin lines: repeats; "
        "thick: the mean sensitivity at each false positive rate. Dashed: chance."
    )
    assert "confusion" not in figures


def test_calibration_errors_are_the_metric_of_the_repeats(made, figures):
    run = made("binary")
    note = sections(run)["Calibration on test images"]
    diagrams, words, axis_names = figures["reliability"]
    errors = [
        metrics.measure(run.scored(f"random-{r}", "test", "best"), ["ece"])[0].value for r in (0, 1)
    ]
    assert words["random"] == f"ECE {np.mean(errors):.3f} ± {np.std(errors, ddof=1):.3f}"
    assert [one.counts.sum() for one in diagrams["random"]] == [120, 120]
    assert axis_names == ("probability", "share of positives")
    assert "probability of effusion" in note and "over 2 repeats" in note


def test_labels_have_a_panel_each_and_are_pooled_for_calibration(made, figures):
    run = made("labels")
    notes = sections(run)
    # Without test images the weights of the last step are shown: none was chosen on the images.
    assert list(figures["roc"][0]) == ["Edema", "Mass", "No Finding"]
    note = notes["ROC curves on validation images"]
    assert note.startswith("On 120 validation images, by the weights of the last step. Thin")
    diagrams, _, axis_names = figures["reliability"]
    assert diagrams["random"][0].counts.sum() == 3 * 120
    assert axis_names[0] == "probability, labels pooled"
    assert "all 3 labels pooled" in notes["Calibration on validation images"]


def test_many_labels_are_pooled_and_named_as_such(made, monkeypatch):
    run = made("labels")
    monkeypatch.setattr(judged_scores, "MOST_LABELS", 2)
    scores = judged_scores.read(run, Shown.of(run))
    ((title, pooled),) = judged_scores.by_label(scores, None).items()
    assert title == "micro: all 3 labels pooled"
    values = metrics.measure(scores["random"][0], ["auc"])
    micro = next(value.value for value in values if value.metric == "auc_micro")
    assert metrics.measure(pooled["random"][0], ["auc"])[0].value == pytest.approx(micro)
    note = sections(run)["ROC curves on validation images"]
    assert note.endswith("All pairs of an image and a label are pooled (micro average).")


def test_grades_are_judged_as_referable_first_and_then_each_against_the_rest(made, figures):
    run = made("grades")
    notes = sections(run)
    panels = figures["roc"][0]
    assert list(panels) == ["grade>=2", *(f"grade={i}" for i in range(5))]
    scored = run.scored("mean_var-0", "test", "best")
    expected = curves.roc(grades.referable(scored, 2))
    np.testing.assert_array_equal(
        panels["grade>=2"]["mean_var"][0].sensitivity, expected.sensitivity
    )
    np.testing.assert_array_equal(
        panels["grade=3"]["mean_var"][0].sensitivity, curves.roc(scored, "grade=3").sensitivity
    )
    assert "A class is judged against the rest." in notes["ROC curves on test images"]
    assert "probability of grade>=2" in notes["Calibration on test images"]


def test_confusion_is_summed_over_the_repeats(made, figures):
    run = made("grades")
    assert "Rows: true classes" in sections(run)["Confusion on test images"]
    matrices, classes, label = figures["confusion"]
    assert (classes, label) == (["0", "1", "2", "3", "4"], "grade")
    one, two = (curves.confusion(run.scored(f"random-{r}", "test", "best")) for r in (0, 1))
    np.testing.assert_array_equal(matrices["random"], one + two)
    assert matrices["random"].sum() == 2 * 120


def test_the_predicted_class_is_calibrated_where_no_grade_is_referable(made):
    scores = judged_scores.read(made("grades"), Shown.of(made("grades")))
    what, by_arm = judged_scores.for_calibration(scores, None)
    assert what == "probability of the predicted class" and by_arm is scores


def test_of_two_classes_one_is_drawn(made):
    scores = judged_scores.read(made("grades"), Shown.of(made("grades")))
    two = {"a": [judged_scores.dataclasses.replace(
        one, log_odds=one.log_odds[:, :2], indicators=one.indicators[:, :2],
        mask=one.mask[:, :2], outputs=("t=0", "t=1"), thresholds=np.zeros(2),
    ) for one in scores["random"]]}  # fmt: skip
    assert list(judged_scores.by_label(two, None)) == ["t=1"]


def test_too_many_classes_to_draw_are_told(made, monkeypatch):
    monkeypatch.setattr(confusion_matrices, "MOST_CLASSES", 4)
    (confusion,) = [s for s in judged_curves.sections(made("grades")) if "Confusion" in s.title]
    assert confusion.picture is None and confusion.note.startswith("5 classes are too many")


def test_a_member_without_predictions_is_left_out_and_a_lost_table_is_told(made, tmp_path):
    import shutil

    from transfer_jax.runs import fingerprint, layout
    from transfer_jax.runs.run import Run

    folder = shutil.copytree(made("binary").folder, tmp_path / "w")
    path = layout.predictions(folder, "random-1", "test", "best")
    path.unlink()
    with pytest.raises(
        ConfigError, match=r"random-1\.test\.best\.csv\.gz is not as the study left"
    ):
        judged_curves.sections(Run(folder))
    fingerprint.record_results(folder)  # as of a member that diverged
    run = Run(folder)
    assert len(judged_scores.read(run, Shown.of(run))["random"]) == 1
    for path in (folder / layout.PREDICTIONS).iterdir():
        path.unlink()
    fingerprint.record_results(folder)
    assert judged_curves.sections(Run(folder)) == []
