"""Studies of which a member, the first arm or the source diverges."""

import csv
import math

import jax
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from transfer_jax import api, settings, weights
from transfer_jax.compare import sides
from transfer_jax.core.errors import ConfigError, DivergedError
from transfer_jax.report.study_page import console, notes
from transfer_jax.runs import predicting
from transfer_jax.train.progress import Progress

BAD, GOOD, OTHER = (
    settings.arm("random", name="bad", learning_rate=1e30),
    settings.arm("random", name="good"),
    settings.arm("gabor", name="other"),
)


def study(*arms, **recipe):
    config = settings.template()
    config.devices, config.repeats, config.threshold_auc = 1, 2, 0.51
    config.network_options.widths = (8, 8, 8, 8)
    config.data.update(phantom="fundus", size=32, train=48, val=48, labels=("grade",), threshold=2)
    config.recipe.update(steps=4, batch_size=8, eval_every=2, optimizer="sgd", learning_rate=1e-2)
    config.recipe.update(recipe)
    config.similarity.update(every=0, at_end=True, images=16)
    config.arms = arms
    return settings.load(config)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A study whose first arm diverges: its folder and what came of it."""
    folder = tmp_path_factory.mktemp("diverges") / "w"
    return folder, api.run(study(BAD, GOOD, OTHER), folder)


def table(folder, name):
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


def test_the_others_results_are_those_of_a_study_without_it(ran, tmp_path):
    folder, _ = ran
    api.run(study(GOOD, OTHER), tmp_path / "w")
    mine = [row for row in table(folder, "history.csv") if not row["member"].startswith("bad")]
    assert mine == table(tmp_path / "w", "history.csv")
    for member in ("good-0", "other-1"):
        ours, theirs = (
            jax.tree.leaves(weights.load(place / "weights" / member, "cbr_tiny"))
            for place in (folder, tmp_path / "w")
        )
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_everything_that_reports_it_says_so(ran):
    folder, done = ran
    rows = {(row["arm"], row["repeat"]): row for row in table(folder, "results.csv")}
    for repeat in "01":
        row = rows["bad", repeat]
        assert (row["diverged_at"], row["steps_to_threshold"], row["final_auc"]) == ("2", "", "nan")
        assert row["steps"] == "2"  # it was not trained on
        assert rows["good", repeat]["diverged_at"] == ""
        assert math.isfinite(float(rows["good", repeat]["final_auc"]))
    assert "diverged at step 2" in console(done)
    assert "bad-0 at step 2, bad-1 at step 2" in notes(done)[0]
    page = done.report.read_text()
    assert "bad-0 at step 2" in page
    assert "0 of 2" in page
    events = EventAccumulator(str(folder / "tensorboard/bad-0"))
    events.Reload()
    assert [event.value for event in events.Scalars("diverged")] == [0, 1]
    assert "diverged" in events.Tags()["tensors"]


def test_it_leaves_no_weights_after_it_and_is_compared_with_nothing(ran):
    folder, _ = ran
    assert sorted(path.name for path in (folder / "weights").iterdir()) == (
        ["good-0", "good-1", "other-0", "other-1"]
    )
    with pytest.raises(
        ConfigError, match=r"bad-0 of .* has no predictions of the split .* it diverged at step 2"
    ):
        api.open_run(folder).scored("bad-0")
    with pytest.raises(
        ConfigError, match=r"bad-0 of .* has no last weights: it diverged at step 2"
    ):
        api.open_run(folder).weights("bad-0")
    best = weights.read(folder / "best/bad-0", "cbr_tiny")
    assert best.card.recipe["steps"] == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(best.variables))
    after = [row for row in table(folder, "similarity.csv") if row["what"] != "before"]
    assert after
    assert not any("bad" in (row["arm_a"], row["arm_b"]) for row in after)
    with pytest.raises(ConfigError, match=r"bad-0 of .* diverged at step 2 .*--take=best.*good"):
        sides.open_side(f"{folder}:bad")
    assert sides.open_side(f"{folder}:bad", take="best").repeats == 2


def test_a_finished_study_with_a_diverged_member_is_finished(ran, monkeypatch):
    folder, done = ran
    monkeypatch.setattr(Progress, "update", lambda self, step: pytest.fail("trained again"))
    again = api.run(study(BAD, GOOD, OTHER), folder)
    assert (console(again), notes(again)) == (console(done), notes(done))


def test_a_member_may_go_on(tmp_path, capsys):
    done = api.run(study(BAD, GOOD, on_divergence="continue"), tmp_path / "w")
    entries = [row for row in table(tmp_path / "w", "history.csv") if row["member"] == "bad-0"]
    assert [(row["step"], row["diverged"]) for row in entries] == [
        ("0", "False"),
        ("2", "True"),
        ("4", "True"),
    ]
    assert "diverged at step 2" in console(done)
    said = capsys.readouterr().err
    assert said.count("bad-0 diverged at step 2") == 1
    assert "it is trained on (on_divergence='continue')" in said


def test_when_every_member_has_diverged_nothing_is_left_to_train(tmp_path):
    done = api.run(study(BAD, steps=400), tmp_path / "w")
    assert [row["steps"] for row in table(tmp_path / "w", "results.csv")] == ["2", "2"]
    assert "0 of 2" in console(done)
    assert "diverged at step 2" in done.report.read_text()


def test_a_diverged_source_ends_the_study_before_any_arm(tmp_path):
    config = settings.template()
    config.devices, config.network_options.widths = 1, (8, 8, 8, 8)
    data = {"size": 32, "train": 32, "val": 16}
    config.source.kind = "train"
    config.source.data.update(phantom="texture", task="multiclass", labels=("texture",), **data)
    config.source.recipe.update(
        steps=4, batch_size=8, eval_every=2, optimizer="sgd", learning_rate=1e30
    )
    config.data.update(phantom="fundus", labels=("grade",), threshold=2, **data)
    config.recipe.update(steps=4, batch_size=8, eval_every=2)
    config.arms = (settings.arm("pretrained"),)
    for _ in range(2):  # the same again where it is gone on with
        with pytest.raises(DivergedError, match=r"source diverged at step 2 of 4.*learning_rate"):
            api.run(settings.load(config), tmp_path / "w")
    assert not (tmp_path / "w/source/weights").exists()
    assert not (tmp_path / "w/checkpoints").exists()


def test_predictions_that_are_not_finite_are_not_written(ran, monkeypatch, tmp_path):
    folder, _ = ran
    data = next((folder / "data").iterdir())
    monkeypatch.setattr(predicting, "log_odds", lambda *given: np.array([[0.5], [np.nan]]))
    with pytest.raises(
        predicting.AnalysisError, match="1 of 2 images predictions that are not finite"
    ):
        predicting.predict(str(folder / "weights/good-0"), "cbr_tiny", data, ["val"])


def test_an_unknown_way_to_meet_it_is_an_error():
    with pytest.raises(ConfigError, match="on_divergence='stopp': did you mean 'stop'"):
        study(GOOD, on_divergence="stopp")
