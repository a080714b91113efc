"""Whole studies, in one process."""

import csv
import filecmp
import json
import re
import signal

import jax
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from transfer_jax import api, weights
from transfer_jax.core.errors import CheckpointError, ConfigError, DataError, Interrupted
from transfer_jax.report.study_page import console
from transfer_jax.train.progress import Progress


@pytest.fixture(scope="module")
def finished(tiny_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "w"
    return tiny_study(), folder, api.run(tiny_study(), folder)


def read(folder, name):
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


def equal_weights(a, b):
    one, two = (jax.tree.leaves(weights.load(folder, "cbr_tiny")) for folder in (a, b))
    return all(np.array_equal(x, y) for x, y in zip(one, two, strict=True))


def test_a_study_leaves_its_table_report_curves_weights_and_events(finished):
    study, folder, done = finished
    rows = read(folder, "results.csv")
    assert [(r["arm"], r["repeat"]) for r in rows] == [
        (a.name, str(r)) for a in study.arms for r in range(2)
    ]
    history = read(folder, "history.csv")
    assert [int(e["step"]) for e in history if e["member"] == "pretrained-1"] == [0, 2, 4, 6]
    for row in rows:
        own = [float(e["auc"]) for e in history if e["member"] == f"{row['arm']}-{row['repeat']}"]
        assert float(row["final_auc"]) == own[-1]
        assert float(row["best_auc"]) == max(own)
        reached = [
            int(e["step"])
            for e in history
            if e["member"] == f"{row['arm']}-{row['repeat']}" and float(e["auc"]) >= 0.55
        ]
        assert row["steps_to_threshold"] == (str(reached[0]) if reached else "")
    page = done.report.read_text()
    # Convergence, steps, final AUC and filters; ROC, precision and recall, calibration.
    assert page.count("data:image/png;base64,") == 7
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing outside the file
    for arm in study.arms:
        assert f"<td>{arm.name}</td>" in page
        assert arm.name in console(done)
    events = EventAccumulator(str(folder / "tensorboard" / "mean_var-0"))
    events.Reload()
    assert [e.step for e in events.Scalars("auc")] == [0, 2, 4, 6]
    assert {"train_loss", "train_accuracy", "loss"} <= set(events.Tags()["scalars"])
    assert "filters/first_layer" in events.Tags()["images"]
    assert (folder / "source" / "weights").is_dir()
    assert not list(folder.rglob("*.tmp"))


def test_members_begin_where_their_arm_says(finished):
    _, folder, _ = finished
    history = read(folder, "history.csv")
    first = {e["member"]: e for e in history if e["step"] == "0"}
    # Arms of a repeat share what they do not take from the source: random and mean_var have equal
    # heads, not equal outputs.
    assert len({e["loss"] for e in first.values()}) == len(first)


def test_a_finished_study_is_not_trained_again(finished, monkeypatch):
    study, folder, done = finished
    monkeypatch.setattr(Progress, "update", lambda self, step: pytest.fail("trained again"))
    before = (folder / "history.csv").read_bytes()
    again = api.run(study, folder)
    assert console(again) == console(done)
    assert (folder / "history.csv").read_bytes() == before


def interrupt_at(monkeypatch, label, step):
    """Ctrl-C in the middle of a training."""
    update = Progress.update

    def interrupting(self, done):
        update(self, done)
        if self._label == label and done == step:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "update", interrupting)


@pytest.mark.parametrize(("label", "step"), [("source", 1), ("study", 3), ("study", 5)])
def test_a_resumed_study_is_bit_equal_to_an_uninterrupted_one(
    finished, tmp_path, monkeypatch, label, step
):
    study, folder, _ = finished
    with monkeypatch.context() as patch:
        interrupt_at(patch, label, step)
        with pytest.raises(Interrupted):
            api.run(study, tmp_path / "w")
    assert not (tmp_path / "w" / "report.html").exists()
    api.run(study, tmp_path / "w")
    assert filecmp.cmp(folder / "history.csv", tmp_path / "w" / "history.csv", shallow=False)
    assert filecmp.cmp(folder / "results.csv", tmp_path / "w" / "results.csv", shallow=False)
    for member in (folder / "weights").iterdir():
        assert equal_weights(member, tmp_path / "w" / "weights" / member.name)
    assert equal_weights(folder / "source" / "weights", tmp_path / "w" / "source" / "weights")


def test_every_member_trained_together_equals_the_same_member_trained_alone(
    finished, tiny_study, tmp_path
):
    study, folder, _ = finished
    for i, arm in enumerate(study.arms):
        spec = ("random", "mean_var", "transfusion:conv2", "pretrained")[i]
        changes = {"arms": (spec,)} | ({"source__kind": "none"} if arm.init == "random" else {})
        alone = tmp_path / arm.name
        api.run(tiny_study(**changes), alone)
        for repeat in range(2):
            name = f"{arm.name}-{repeat}"
            assert equal_weights(folder / "weights" / name, alone / "weights" / name)
            together = [e for e in read(folder, "history.csv") if e["member"] == name]
            assert together == [e for e in read(alone, "history.csv") if e["member"] == name]


def test_saved_weights_are_a_source(finished, tiny_study, tmp_path):
    _, folder, _ = finished
    changes = {
        "source__kind": "weights",
        "source__path": str(folder / "source" / "weights"),
        "arms": ("pretrained",),
    }
    api.run(tiny_study(**changes), tmp_path / "w")
    assert equal_weights(
        folder / "weights" / "pretrained-0", tmp_path / "w" / "weights" / "pretrained-0"
    )


def test_arms_may_have_their_own_hyper_parameters(tiny_study, tmp_path):
    arms = (
        {"name": "slow", "learning_rate": 1e-5},
        {"name": "fast", "learning_rate": 1e-2},
        {"name": "plain"},
    )
    done = api.run(tiny_study(arms=arms, source__kind="none", repeats=1), tmp_path / "w")
    assert all(name in console(done) for name in ("slow", "fast", "plain"))
    finals = [r["final_loss"] for r in read(tmp_path / "w", "results.csv")]
    assert len(set(finals)) == 3


def test_a_study_on_eight_devices(tiny_study, tmp_path):
    plain = {
        "arms": ("random",),
        "source__kind": "none",
        "repeats": 1,
        "recipe__optimizer": "sgd",
    }  # Adam's first steps magnify rounding
    api.run(tiny_study(devices=8, **plain), tmp_path / "eight")
    api.run(tiny_study(**plain), tmp_path / "one")
    one, eight = (read(tmp_path / name, "history.csv") for name in ("one", "eight"))
    np.testing.assert_allclose(
        [float(e["loss"]) for e in one], [float(e["loss"]) for e in eight], rtol=1e-3
    )


def test_a_workdir_of_another_config_is_refused(finished, tiny_study):
    _, folder, _ = finished
    with pytest.raises(
        ConfigError, match=r"belongs to another config: config.recipe.steps is 6 there and 9 here"
    ):
        api.run(tiny_study(recipe__steps=9), folder)
    assert json.loads((folder / "config.json").read_text())["recipe"]["steps"] == 6


def test_a_workdir_with_other_files_is_refused(tiny_study, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="is not empty and holds no study"):
        api.run(tiny_study(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {
                "data__kind": "records",
                "data__path": "no/where",
                "data__phantom": None,
                "data__size": None,
                "data__train": None,
                "data__val": None,
            },
            DataError,
            "does not exist: make it with",
        ),
        (
            {"recipe__batch_size": 12, "devices": 8},
            ConfigError,
            "config.recipe.batch_size=12 does not divide over 8 devices",
        ),
        (
            {"source__recipe__batch_size": 12, "devices": 8},
            ConfigError,
            "config.source.recipe.batch_size=12",
        ),
        ({"devices": 99}, ConfigError, "devices=99"),
        (
            {"data__labels": ("grad",)},
            ConfigError,
            "data set fundus has no label 'grad': did you mean 'grade'",
        ),
        ({"data__phantom": "fundis"}, ConfigError, "did you mean 'fundus'"),
        (
            {"data__size": 16},
            ConfigError,
            "images of fundus are 16 x 16 pixels; cbr_tiny needs at least 32",
        ),
        (
            {"source__data__train": 5},
            DataError,
            "data set texture has 5 training images, a batch needs 8",
        ),
        ({"recipe__warmup": 6}, ConfigError, r"warmup=6 must lie in 0\.\.5"),
        ({"source__recipe__schedule": "cosin"}, ConfigError, "did you mean 'cosine'"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(
    tiny_study, tmp_path, changes, error, message
):
    with pytest.raises(error, match=message):
        api.run(tiny_study(**changes), tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


def test_missing_weights_are_an_error(tiny_study, tmp_path):
    with pytest.raises(CheckpointError, match="none does not exist"):
        api.run(
            tiny_study(source__kind="weights", source__path=str(tmp_path / "none")), tmp_path / "w"
        )
    assert not (tmp_path / "w").exists()


def test_a_damaged_record_stops_the_study_with_its_name(tiny_study, tmp_path):
    study = tiny_study(arms=("random",), source__kind="none", repeats=1)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, "study", 1)
        with pytest.raises(Interrupted):
            api.run(study, tmp_path / "w")
    shard = next((tmp_path / "w" / "data").rglob("*-train.tfrecord*"))
    data = bytearray(shard.read_bytes())
    for i in range(2000, len(data), 2000):
        data[i] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"tfrecord-00000-of-00001: wrong checksum in"):
        api.run(study, tmp_path / "w")
