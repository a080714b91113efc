"""Studies of frozen stages, phases and early stopping."""

import csv

import jax
import numpy as np
import pytest

from transfer_jax import api, models, settings, weights
from transfer_jax.core.errors import ConfigError, Interrupted
from transfer_jax.runs import predicting
from transfer_jax.studies import members
from transfer_jax.train import early_stop
from transfer_jax.train.progress import Progress


def study(**recipe):
    config = settings.template()
    config.devices, config.repeats = 1, 1
    config.source.kind = "train"
    config.source.data.update(
        phantom="texture", size=32, train=32, val=16, task="multiclass", labels=("texture",)
    )
    config.source.recipe.update(steps=2, batch_size=8, eval_every=2)
    config.data.update(phantom="fundus", size=32, train=48, val=24, labels=("grade",), threshold=2)
    config.recipe.update(steps=6, batch_size=8, eval_every=2, checkpoint_every=2, **recipe)
    config.arms = (
        settings.arm("pretrained", name="all"),
        settings.arm("pretrained", name="frozen", rates=settings.frozen_upto("cbr_tiny", "conv3")),
        settings.arm("pretrained", name="head_first", phases=settings.head_first(3, 3)),
    )
    return settings.load(config)


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [
            {
                **entry,
                "step": int(entry["step"]),
                "loss": float(entry["loss"]),
                "diverged": entry["diverged"] == "True",
            }
            for entry in csv.DictReader(file)
        ]


def bits(folder):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(weights.load(folder, "cbr_tiny"))]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "w"
    api.run(study(), folder)
    return folder


def test_arms_train_what_their_rates_say(finished):
    source = weights.load(finished / "source/weights", "cbr_tiny", head=False)
    frozen = weights.load(finished / "weights/frozen-0", "cbr_tiny")
    for stage in ("conv1", "conv2", "conv3", "conv4"):
        for module in models.stage_table("cbr_tiny")[stage]:
            for collection in ("params", "batch_stats"):
                if module not in source[collection]:
                    continue
                pairs = zip(
                    *map(jax.tree.leaves, (source[collection][module], frozen[collection][module])),
                    strict=True,
                )
                assert all((np.asarray(a) == np.asarray(b)).all() for a, b in pairs) == (
                    stage != "conv4"
                )
    for name in ("all", "head_first"):
        moved = weights.load(finished / f"weights/{name}-0", "cbr_tiny")
        assert (moved["params"]["conv1"]["kernel"] != source["params"]["conv1"]["kernel"]).any()


def test_best_and_last_weights_are_kept(finished):
    entries = history(finished)
    for name in ("all", "frozen", "head_first"):
        own = [entry for entry in entries if entry["member"] == f"{name}-0"]
        best, last = (
            weights.read(finished / place / f"{name}-0", "cbr_tiny").card
            for place in ("best", "weights")
        )
        assert (best.recipe["steps"], last.recipe["steps"]) == (early_stop.best(own)["step"], 6)
        assert best.metrics["validation loss"] == min(
            entry["loss"] for entry in own if entry["step"] > 0
        )
        of_both = (bits(finished / place / f"{name}-0") for place in ("best", "weights"))
        identical = all((a == b).all() for a, b in zip(*of_both, strict=True))
        assert identical == (early_stop.best(own)["step"] == 6)


def test_best_weights_are_those_of_the_best_evaluation(finished):
    (folder,) = (finished / "data").glob("fundus_*")
    grades = np.array(
        [int(row["grade"]) for row in csv.DictReader((folder / "val.csv").read_text().splitlines())]
    )
    for name in ("all", "frozen", "head_first"):
        best = early_stop.best(
            entry for entry in history(finished) if entry["member"] == f"{name}-0"
        )
        scores = predicting.predict(
            str(finished / f"best/{name}-0"), "cbr_tiny", folder, ["val"]
        ).outputs["grade"]
        auc = np.mean(
            [(p > n) + 0.5 * (p == n) for p in scores[grades >= 2] for n in scores[grades < 2]]
        )
        assert float(best["auc"]) == pytest.approx(auc, abs=0.01)


@pytest.mark.parametrize("at", [3, 4])
def test_a_training_interrupted_at_a_phases_border_or_in_it_ends_the_same(
    finished, tmp_path, monkeypatch, at
):
    update = Progress.update

    def stop_here(self, done):
        update(self, done)
        if done == at and self._label == "study":
            import signal

            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "update", stop_here)
    with pytest.raises(Interrupted):
        api.run(study(), tmp_path / "w")
    monkeypatch.setattr(Progress, "update", update)
    api.run(study(), tmp_path / "w")
    for name in ("all", "frozen", "head_first"):
        for place in ("weights", "best"):
            for a, b in zip(
                bits(finished / place / f"{name}-0"),
                bits(tmp_path / "w" / place / f"{name}-0"),
                strict=True,
            ):
                np.testing.assert_array_equal(a, b)
    assert (finished / "history.csv").read_text() == (tmp_path / "w/history.csv").read_text()


def test_members_stop_early_without_disturbing_the_others(finished, tmp_path, monkeypatch):
    # A patience of one evaluation, and one member's losses made to rise.
    from transfer_jax.train.judge import Judge

    evaluate = Judge.evaluate
    calls = []

    def rising(self, members, batches):
        calls.append(sorted(members))
        reports = evaluate(self, members, batches)
        return {
            name: {**report, "loss": report["loss"] if name != "frozen-0" else float(len(calls))}
            for name, report in reports.items()
        }

    monkeypatch.setattr(Judge, "evaluate", rising)
    api.run(study(patience=2), tmp_path / "w")
    entries = history(tmp_path / "w")
    frozen = [entry["step"] for entry in entries if entry["member"] == "frozen-0"]
    assert frozen == [0, 2, 4, 6]  # lowest at 2, two evaluations later it stops
    calls.clear()
    api.run(study(patience=1), tmp_path / "v")
    entries = history(tmp_path / "v")
    assert [entry["step"] for entry in entries if entry["member"] == "frozen-0"] == [0, 2, 4]
    still = [entry for entry in entries if entry["member"] == "all-0"]
    whole = [entry for entry in history(finished) if entry["member"] == "all-0"][: len(still)]
    assert [entry["loss"] for entry in still] == [entry["loss"] for entry in whole]
    assert weights.read(tmp_path / "v/weights/frozen-0", "cbr_tiny").card.recipe["steps"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.recipe.update(rates=("conv9=0", "all=1")), "'conv9=0' fits no parameter"),
        (lambda c: c.recipe.update(rates=("head=1",)), "end with 'all=0'"),
        (
            lambda c: c.recipe.update(phases=(settings.phase(2), settings.phase(3))),
            r"2 \+ 3 = 5 steps, the recipe 6",
        ),
        (
            lambda c: c.recipe.update(phases=(settings.phase(6, warmup=6),)),
            "warmup=6 must lie in 0..5",
        ),
        (
            lambda c: c.recipe.update(phases=(settings.phase(6, optimizer="adamm"),)),
            "did you mean 'adam'",
        ),
    ],
)
def test_courses_that_do_not_fit_are_found_before_anything_is_done(change, message):
    config = settings.template()
    config.data.update(phantom="fundus", size=32, train=48, val=24, labels=("grade",), threshold=2)
    config.recipe.steps = 6
    config.arms = ("random",)
    change(config)
    with pytest.raises(ConfigError, match=message):
        members.check(settings.load(config), None)


def with_source(own, source, arm, **recipe):
    config = settings.template()
    config.network, config.source.network, config.source.kind = own, source, "train"
    config.source.data.update(
        phantom="texture", size=32, train=32, val=16, task="multiclass", labels=("texture",)
    )
    config.source.recipe.update(recipe)
    config.data.update(phantom="fundus", size=32, train=48, val=24, labels=("grade",), threshold=2)
    config.arms = (arm,)
    return settings.load(config)


def test_a_source_of_another_network_has_rates_and_shapes_of_its_own():
    rates = ("conv5=0", "all=1")  # only CBR-LargeT has five convolutions
    members.check(with_source("cbr_tiny", "cbr_larget", "gabor:pretrained", rates=rates), None)
    with pytest.raises(ConfigError, match="'conv5=0' fits no parameter"):
        members.check(with_source("cbr_larget", "cbr_tiny", "gabor:pretrained", rates=rates), None)
    with pytest.raises(
        ConfigError,
        match=(
            r"conv1/kernel has shape \(7, 7, 3, 32\) in the source and \(5, 5, 3, 32\) in the"
            r" network"
        ),
    ):
        members.check(with_source("cbr_tiny", "cbr_larget", "pretrained"), None)


def test_the_images_of_a_source_must_be_large_enough_for_its_network(tmp_path):
    with pytest.raises(ConfigError, match="inception_v3 needs at least 75"):
        api.run(with_source("cbr_tiny", "inception_v3", "gabor:pretrained"), tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_layerwise_rates_fall_from_the_head_down():
    assert settings.layerwise("cbr_tiny", 0.5) == (
        "head=1",
        "conv1=0.0625",
        "conv2=0.125",
        "conv3=0.25",
        "conv4=0.5",
    )
    phases = settings.gradual("cbr_tiny", 2, 5)
    assert [phase.steps for phase in phases] == [2, 2, 2, 2, 5]
    assert phases[1].rates == ("head=1", "conv4=1", "all=0")
    assert phases[-1].rates == ("all=1",)
