"""A study whose repeats have a pretraining each."""

import csv

import numpy as np
import pytest

from transfer_jax import api, weights
from transfer_jax.compare import sides
from transfer_jax.core.errors import ConfigError, DivergedError
from transfer_jax.runs import fingerprint
from transfer_jax.studies import source
from transfer_jax.studies.training import Outcome
from transfer_jax.train.recipe import Recipe


@pytest.fixture(scope="module")
def done(tiny_study, tmp_path_factory):
    study = tiny_study(
        network_options__widths=(8, 8, 12, 12),
        source__per_repeat=True,
        source__take="best",
        recipe__steps=2,
        arms=("random", "pretrained"),
    )
    return api.run(study, tmp_path_factory.mktemp("sources") / "w")


def kernel(variables):
    return np.asarray(variables["params"]["conv1"]["kernel"])


def test_arms_of_a_repeat_begin_from_the_source_of_that_repeat(done):
    sources = [
        kernel(weights.load(done.folder / f"source/{r}/weights", "cbr_tiny")) for r in (0, 1)
    ]
    assert (sources[0] != sources[1]).all()
    side = sides.open_side(f"{done.folder}:pretrained")
    for repeat in (0, 1):
        np.testing.assert_array_equal(kernel(side.initial(repeat).variables), sources[repeat])


def test_every_source_is_a_training_of_its_own(done):
    with open(done.folder / "source/history.csv", newline="") as file:
        entries = list(csv.DictReader(file))
    by_member = {
        name: [e for e in entries if e["member"] == name] for name in ("source-0", "source-1")
    }
    assert [len(own) for own in by_member.values()] == [2, 2]
    assert by_member["source-0"][0]["loss"] != by_member["source-1"][0]["loss"]
    # What a table of the sources' scores against the targets' needs.
    taken = done.source_entries
    assert [(entry["repeat"], entry["member"], entry["step"]) for entry in taken] == [
        (0, "source-0", 3),
        (1, "source-1", 3),
    ]
    assert taken[0]["auc"] == float(by_member["source-0"][1]["auc"])
    # The source has eight classes.
    assert all(0 <= entry["top5"] <= 1 and entry["top5"] * 16 % 1 == 0 for entry in taken)
    page = done.report.read_text()
    assert "Source and target" in page and "AUC of pretrained" in page
    assert "trained 3 steps, once per repeat, on texture" in page
    cards = [weights.read(done.folder / f"source/{r}/weights", "cbr_tiny").card for r in (0, 1)]
    assert [card.metrics["validation auc"] for card in cards] == [entry["auc"] for entry in taken]


def test_changed_scores_of_sources_are_found(done):
    path = done.folder / "source/history.csv"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"source-1,3", b"source-1,2"))
    with pytest.raises(ConfigError, match=r"source/history\.csv is not as the study left it"):
        fingerprint.check_results(done.folder, ["source/history.csv"])
    path.write_bytes(before)


def test_a_source_that_diverges_is_named():
    entries = [
        {"member": f"source-{r}", "step": 2, "loss": 1.0, "diverged": r == 1} for r in (0, 1)
    ]
    outcome = Outcome(variables={}, objective_params={}, best={}, history=entries)
    with pytest.raises(DivergedError, match="the source of repeat 1 diverged at step 2 of 9"):
        source._check_sound(Recipe(steps=9), outcome)
