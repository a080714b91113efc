"""Scores of the sources that a study trained, beside those of its arms."""

import dataclasses

import made_runs
import pytest

from transfer_jax.report import source_section
from transfer_jax.report.figures import scatter


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A study of three repeats with a source each, of which the arm "scaled" takes something."""
    study = made_runs.study(
        arms=("random", "scaled"), repeats=3, evaluation={"resamples": 100, "groups": ()}
    )
    source = dataclasses.replace(study.source, per_repeat=True, take="best")
    folder = tmp_path_factory.mktemp("sources") / "w"
    return made_runs.finished(folder, dataclasses.replace(study, source=source), images=40)


def test_one_source_has_its_scores(made):
    (section,) = source_section.sections(made("binary"))
    assert (section.title, section.picture) == ("Source", None)
    assert section.table[0] == [
        "repeat",
        "step",
        "source AUC",
        "source top-5 accuracy",
        "source loss",
    ]
    assert section.table[1] == [["all", "3", "0.600", "0.700", "0.400"]]
    assert "by its weights of the last step" in section.note
    assert "Top-5 accuracy: share" in section.note and "optimistic" not in section.note


def test_several_sources_stand_beside_the_arms_that_began_from_them(several, monkeypatch):
    asked = []
    monkeypatch.setattr(scatter, "sources_and_targets", lambda *args: asked.append(args))
    (section,) = source_section.sections(several)
    assert section.title == "Source and target"
    header, cells = section.table
    assert header[-3:] == ["source top-5 accuracy", "source loss", "AUC of scaled"]
    aucs = several.evaluations.query(
        "arm == 'scaled' and split == 'test' and weights == 'best' and group == ''"
        " and label == '' and metric == 'auc'"
    )["value"].tolist()
    assert [line[-1] for line in cells] == [f"{auc:.3f}" for auc in aucs]
    ((points, names),) = asked
    assert points == {
        "random": [],
        "scaled": [(pytest.approx(0.7 + 0.04 * r), auc) for r, auc in enumerate(aucs)],
    }
    assert names == ("source top-5 accuracy", "test AUC of the target")
    assert "chosen on these images, so that the source's scores are optimistic" in section.note
    assert "Arms that take nothing from the source are left out." in section.note


def test_dots_are_the_points_in_the_colour_of_their_arm(drawn):
    points = {"random": [], "scaled": [(0.7, 0.8), (0.8, 0.9), (0.9, 0.85)], "two": [(0.7, 0.6)]}
    (axes,) = drawn(scatter.sources_and_targets, points, ("source", "target"))
    dots, line, two = axes.lines
    assert list(zip(dots.get_xdata(), dots.get_ydata(), strict=True)) == points["scaled"]
    assert dots.get_label() == "scaled (R² 0.25)" and two.get_label() == "two"
    assert dots.get_color() == line.get_color() != two.get_color()


def test_the_auc_compares_sources_of_few_classes(several, monkeypatch):
    few = [{k: v for k, v in e.items() if k != "top5"} for e in several.source_entries]
    monkeypatch.setitem(several.__dict__, "source_entries", few)
    asked = []
    monkeypatch.setattr(scatter, "sources_and_targets", lambda *args: asked.append(args))
    (section,) = source_section.sections(several)
    assert asked[0][1][0] == "source AUC" and "op-5" not in section.note


def test_an_unfinished_study_has_its_sources_alone(several, monkeypatch):
    monkeypatch.setattr(type(several), "check_file", lambda self, name: None)
    (section,) = source_section.sections(several)
    assert section.picture is None and section.table[0][-1] == "source loss"


def test_a_study_that_trains_no_source_has_no_section(made, monkeypatch):
    monkeypatch.setitem(made("binary").__dict__, "source_entries", [])
    assert source_section.sections(made("binary")) == []
    monkeypatch.undo()
