"""The public face: `transfer_jax.run`, `transfer_jax.open_run`, and what importing costs."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import special
from sklearn import metrics as sklearn

import transfer_jax
from transfer_jax import api, metrics, weights
from transfer_jax.core.errors import ConfigError
from transfer_jax.report import study_page as report

CONFIG = """
from transfer_jax import settings


def get_config(variant="one"):
    if variant not in ("one", "two"):
        raise ValueError(f"unknown variant {variant!r}: choose one or two")
    config = settings.template()
    config.name = "from_file"
    config.devices = 1
    config.network_options.widths = (4, 4, 8, 8)
    config.data.update(phantom="fundus", size=32, train=16, val=16, labels=("grade",), threshold=2)
    config.recipe.update(steps=2, batch_size=8, eval_every=1)
    config.arms = ("random", "random:he_uniform") if variant == "two" else ("random",)
    return config
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A study of a config file, and the file."""
    place = tmp_path_factory.mktemp("api")
    (place / "config.py").write_text(CONFIG)
    run = transfer_jax.run(
        f"{place}/config.py:two", workdir=place / "w", overrides={"recipe.steps": 3, "repeats": 2}
    )
    return run, place / "config.py"


def test_a_config_file_is_run_with_its_variant_and_overrides(run):
    results, _ = run
    assert results.study.recipe.steps == 3
    assert results.members == ("random-0", "random_he_uniform-0", "random-1", "random_he_uniform-1")
    assert results.finished and results.report.is_file()
    assert "finished" in repr(results)


def test_an_opened_run_holds_what_the_run_returned(run):
    results, _ = run
    opened = transfer_jax.open_run(results.folder)
    for name in ("history", "results", "evaluations", "predictions"):
        one, other = getattr(results, name), getattr(opened, name)
        assert len(one) and one.equals(other)
    assert isinstance(opened, transfer_jax.Results)


def test_frames_say_what_the_tables_say(run):
    results, _ = run
    history, table = results.history, results.results
    assert list(history.columns[:5]) == ["member", "step", "auc", "loss", "diverged"]
    assert len(history) == 4 * 4  # members, evaluations
    last = history[history.step == 3].set_index("member").auc
    assert table.set_index(table.arm + "-" + table.repeat.astype(str)).final_auc.to_dict() == (
        last.to_dict()
    )
    long = results.evaluations
    loss = long[(long.metric == "loss") & (long.split == "train") & (long.step == 2)]
    expected = history[history.step == 2].set_index("member").train_loss
    assert loss.set_index("member").value.to_dict() == expected.to_dict()
    assert set(long[long.weights.str.contains("last")].step) == {3}


def test_every_metric_can_be_computed_from_the_predictions_afterwards(run):
    results, _ = run
    predictions, history = results.predictions, results.history
    predictions = predictions[(predictions.split == "val") & (predictions.weights == "last")]
    for member, rows in predictions.groupby("member"):
        assert rows.id.is_unique and len(rows) == 16
        auc = sklearn.roc_auc_score(rows.target, rows.log_odds)
        (last,) = history[(history.member == member) & (history.step == 3)].auc
        assert auc == pytest.approx(last, abs=1e-12)
        loss = sklearn.log_loss(rows.target, rows.probability)
        (last,) = history[(history.member == member) & (history.step == 3)].loss
        assert loss == pytest.approx(last, rel=1e-4)
    np.testing.assert_allclose(special.expit(predictions.log_odds), predictions.probability)


def test_stored_scores_are_measured_as_they_were_in_training(run):
    results, _ = run
    history = results.history
    for member in results.members:
        (value,) = metrics.measure(results.scored(member), ("auc",))
        (last,) = history[(history.member == member) & (history.step == 3)].auc
        assert (value.value, value.reason) == (last, "")
    with pytest.raises(ConfigError, match="has no member 'random-2': did you mean 'random-"):
        results.scored("random-2")


def test_weights_of_members(run):
    results, _ = run
    variables = results.weights("random-1", take="best")
    expected = weights.load(results.folder / "best" / "random-1", "cbr_tiny")
    for a, b in zip(jax.tree.leaves(variables), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ConfigError, match="has no member 'random-2': did you mean 'random-"):
        results.weights("random-2")
    with pytest.raises(ConfigError, match="unknown take='bset': did you mean 'best'"):
        results.weights("random-1", take="bset")


def test_a_finished_study_is_resumed_without_training(run, monkeypatch):
    results, file = run
    before = results.report.read_bytes()
    monkeypatch.setattr("transfer_jax.studies.training.train", lambda plan: pytest.fail("trained"))
    again = transfer_jax.run(
        f"{file}:two", workdir=results.folder, overrides={"recipe.steps": 3, "repeats": 2}
    )
    assert again.report.read_bytes() == before == report.page(again).encode()


@pytest.mark.parametrize(
    ("study", "overrides", "message"),
    [
        ("{file}:three", {}, "unknown variant 'three': choose one or two"),
        ("{file}x", {}, "does not exist"),
        (
            "{file}",
            {"recipe.stepz": 3},
            r"unknown option config\.recipe\.stepz: did you mean 'step",
        ),
        ("{file}", {"recipy.steps": 3}, r"unknown section config\.recipy: did you mean 'recipe'"),
        ("{file}", {"recipe.steps": "3"}, r"recipe\.steps is 2 and cannot become '3'"),
        ("{file}", {"source.recipe.steps": 3}, "nothing reads it"),
    ],
)
def test_mistakes_are_named(run, tmp_path, study, overrides, message):
    study = study.format(file=run[1])
    with pytest.raises(ConfigError, match=message):
        transfer_jax.run(study, workdir=tmp_path / "w", overrides=overrides)
    assert not (tmp_path / "w").exists()


def test_what_is_no_study_is_told():
    with pytest.raises(ConfigError, match="a study is a Study, a config or the path of a config"):
        api._settings(3, {})


def test_overrides_are_not_for_settings_that_are_frozen(run, tmp_path):
    study = dataclasses.replace(run[0].study, name="other")
    with pytest.raises(ConfigError, match="change the Study itself"):
        transfer_jax.run(study, workdir=tmp_path / "w", overrides={"seed": 1})


def test_a_folder_without_a_study_is_told(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError, match="holds no study"):
            transfer_jax.open_run(folder)


def test_the_facade_names_what_it_has():
    assert set(transfer_jax.__all__) <= set(dir(transfer_jax))
    assert transfer_jax.models.names()
    with pytest.raises(AttributeError, match="has no attribute 'modelz'"):
        transfer_jax.modelz  # noqa: B018
