"""A study in epochs, of which a member's first phase ends by its patience."""

import csv
import filecmp
import json
import signal

import jax
import numpy as np
import pytest

from transfer_jax import api, settings, weights
from transfer_jax.core.errors import ConfigError, Interrupted
from transfer_jax.train.progress import Progress

# Nothing moves: the loss of the second evaluation, at step 8 of at most 12, is that of the first.
STILL = {"rates": ("head=1", "all=0"), "learning_rate": 1e-30}


def study(arms, **recipe):
    config = settings.template()
    config.devices = 1
    config.network_options.widths = (8, 8, 8, 8)
    config.similarity.every = 0
    config.data.update(phantom="fundus", size=32, train=20, val=16, labels=("grade",), threshold=2)
    config.recipe.update(batch_size=8, eval_every=4, select="auc", schedule="cosine")
    config.recipe.update(recipe)
    config.arms = arms
    return settings.load(config)


def in_epochs():
    """Three steps per epoch: 18 in all, 12 and 6 in the two phases."""
    phases = (
        settings.phase(4, unit="epochs", patience=1, select="loss", **STILL),
        settings.phase(2, unit="epochs"),
    )
    arms = (settings.arm("random", name="plain"), settings.arm("random", phases=phases))
    return study(arms, epochs=6)


def history(folder, member):
    with open(folder / "history.csv", newline="") as file:
        return [entry for entry in csv.DictReader(file) if entry["member"] == member]


def bits(folder):
    leaves = jax.tree.leaves(weights.load(folder, "cbr_tiny"))
    return b"".join(np.asarray(leaf).tobytes() for leaf in leaves)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phases") / "w"
    return folder, api.run(in_epochs(), folder)


def test_the_next_phase_begins_at_the_plateau_and_has_its_own_steps(ran, tmp_path):
    folder, _ = ran
    plain = [int(entry["step"]) for entry in history(folder, "plain-0")]
    assert plain == [0, 4, 8, 12, 16, 18]
    # Its last evaluation is where it has done its steps, whenever others are evaluated.
    early = history(folder, "random-0")
    assert [entry["step"] for entry in early] == ["0", "4", "8", "12", "14"]
    assert early[1]["loss"] == early[2]["loss"] != early[3]["loss"]
    # As if its first phase had never had more steps.
    phases = (settings.phase(8, **STILL), settings.phase(6))
    api.run(study((settings.arm("random", phases=phases),), steps=14), tmp_path / "w")
    assert bits(folder / "weights/random-0") == bits(tmp_path / "w/weights/random-0")
    losses = [entry["loss"] for entry in history(tmp_path / "w", "random-0")]
    assert losses == [entry["loss"] for entry in early]


def interrupting_at(step):
    update = Progress.update

    def interrupting(self, done):
        update(self, done)
        if done == step:
            signal.raise_signal(signal.SIGINT)

    return interrupting


def test_it_resumes_right_before_at_and_after_the_end_of_a_phase(ran, tmp_path, monkeypatch):
    folder, _ = ran
    for at in (7, 8, 9):
        with monkeypatch.context() as patch:
            patch.setattr(Progress, "update", interrupting_at(at))
            with pytest.raises(Interrupted):
                api.run(in_epochs(), tmp_path / "w")
    api.run(in_epochs(), tmp_path / "w")
    for name in ("history.csv", "results.csv"):
        assert filecmp.cmp(folder / name, tmp_path / "w" / name, shallow=False)
    for place in ("weights", "best"):
        for member in ("plain-0", "random-0"):
            assert bits(folder / place / member) == bits(tmp_path / "w" / place / member)


def test_the_best_weights_are_those_of_the_highest_auc(ran):
    folder, done = ran
    for member in ("plain-0", "random-0"):
        entries = history(folder, member)[1:]
        best = max(entries, key=lambda entry: float(entry["auc"]))
        card = weights.read(folder / "best" / member, "cbr_tiny").card
        assert (card.recipe["steps"], card.recipe["select"]) == (int(best["step"]), "auc")
        assert card.metrics["validation auc"] == float(best["auc"])
        kept = done.evaluations.query("member == @member and weights.str.contains('best')")
        assert set(kept["step"]) == {int(best["step"])}


def test_the_folder_and_the_report_show_both_lengths_and_the_end(ran):
    folder, done = ran
    assert json.loads((folder / "config.json").read_text())["recipe"]["epochs"] == 6
    assert json.loads((folder / "run.json").read_text())["images_per_epoch"] == 20
    assert (done.in_steps.recipe.steps, done.in_steps.arms[1].phases[0].steps) == (18, 12)
    page = done.report.read_text()
    assert "18 steps (6 epochs) of 8 images" in page
    assert "best weights by validation auc" in page
    assert "random-0 phase 1 at step 8" in page
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    texts = [line["text"]["early_stop"] for line in log if "early_stop" in line.get("text", {})]
    assert texts == ["phase 1 of 2 ended at step 8: no better loss for 1 evaluation"]


def test_a_label_that_the_data_do_not_have_is_found_before_the_first_step(tmp_path):
    with pytest.raises(ConfigError, match=r"select='auc/7' is not evaluated on this data set"):
        api.run(study(("random",), steps=4, select="auc/7"), tmp_path / "w")
