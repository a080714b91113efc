"""Studies that look inside their networks."""

import csv
import dataclasses
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from transfer_jax import api, settings, weights
from transfer_jax.analysis import cca
from transfer_jax.compare.probe import Probe
from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import dataset
from transfer_jax.tools import gains

STAGES = ("conv1", "conv2", "conv3")  # of conv4 there are 96 positions of 256 channels


def study(tiny_study, **changes):
    return tiny_study(
        arms=("random", "pretrained"), similarity__at_end=True, similarity__every=2, **changes
    )


def read(folder, name):
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tiny_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "w"
    return study(tiny_study), folder, api.run(study(tiny_study), folder)


@pytest.fixture
def opened(finished):
    chosen, folder, _ = finished
    return dataset.open_data(
        chosen.data, dataset.ImageSpec(network="cbr_tiny", channels=3), folder, 0
    )


def stages_of(chosen, variables, images):
    return settings.network(chosen, 1).apply(variables, images, train=False)[1]


def test_a_row_is_what_cca_finds_in_the_trained_networks(finished, opened):
    chosen, folder, _ = finished
    rows = read(folder, "similarity.csv")
    assert len(rows) == len(STAGES) * (4 + 2 * 2)
    images = opened.images(jnp.asarray(opened.records(opened.part(0).val)))
    trained = [
        weights.load(folder / "weights" / name, "cbr_tiny") for name in ("pretrained-0", "random-1")
    ]
    first, second = (stages_of(chosen, variables, images) for variables in trained)
    of_pair = [row for row in rows if (row["what"], row["arm_a"]) == ("after", "pretrained")]
    assert [row["stage"] for row in of_pair] == list(STAGES)
    for row in of_pair:
        name = row["stage"]
        expected = cca.similarity(
            *(np.asarray(of[name]).reshape(-1, of[name].shape[-1]) for of in (first, second))
        )
        assert float(row["mean"]) == pytest.approx(expected.mean, abs=1e-4)
        assert (int(row["n"]), int(row["rank_a"])) == (expected.n, expected.rank_x)
        assert float(row["chance"]) == pytest.approx(expected.chance, abs=1e-6)
    assert [row["stage"] for row in rows[:3]] == list(STAGES)


def by_numpy(measure, x, y):
    """The measures from their definitions, on all rows at once."""
    x, y = (rows.astype(np.float64) - rows.mean(0) for rows in (x, y))
    if measure == "cka":
        square = np.linalg.norm(x.T @ y) ** 2
        return square / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    bases = []
    for rows in (x, y):
        u, s, _ = np.linalg.svd(rows, full_matrices=False)
        share = np.cumsum(s**2) / (s**2).sum()
        kept = (share < 0.99).sum() + 1 if measure == "svcca" else (s > 1e-5 * s[0]).sum()
        bases.append(u[:, :kept])
    u, values, vt = np.linalg.svd(bases[0].T @ bases[1], full_matrices=False)
    if measure == "svcca":
        return values.mean()
    first = bases[0].shape[1] <= bases[1].shape[1]
    rows, directions = (x, bases[0] @ u) if first else (y, bases[1] @ vt.T)
    weights = np.abs(directions.T @ rows).sum(1)
    return values @ weights / weights.sum()


@pytest.mark.parametrize("measure", ["svcca", "pwcca", "cka"])
def test_every_measure_is_its_definition_on_the_activations(finished, opened, measure):
    chosen, folder, _ = finished
    first, second = (
        weights.load(folder / "weights" / name, "cbr_tiny") for name in ("pretrained-0", "random-1")
    )
    options = dataclasses.replace(chosen.similarity, measure=measure)
    probe = Probe(opened, settings.network(chosen, 1), first, options, meshes.create(1))
    found = probe(0, first, second)
    images = opened.images(jnp.asarray(opened.records(opened.part(0).val)))
    x, y = (stages_of(chosen, variables, images) for variables in (first, second))
    assert list(found) == list(STAGES)
    for stage, (result,) in found.items():
        rows = [np.asarray(of[stage]).reshape(-1, of[stage].shape[-1]) for of in (x, y)]
        assert result.mean == pytest.approx(by_numpy(measure, *rows), abs=2e-3)
        assert 0 < result.chance < result.mean <= 1
        assert result.n == len(rows[0]) and 0 < result.rank_x <= rows[0].shape[1]


def test_tensorboard_follows_the_drift_from_the_first_weights(finished):
    _, folder, _ = finished
    rows = {
        (r["arm_a"], r["repeat_a"], r["stage"]): r
        for r in read(folder, "similarity.csv")
        if r["what"] == "training"
    }
    events = EventAccumulator(str(folder / "tensorboard" / "pretrained-1"))
    events.Reload()
    for stage in STAGES:
        seen = events.Scalars(f"similarity_cca/{stage}")
        assert [event.step for event in seen] == [2, 4, 6]
        last = rows["pretrained", "1", stage]
        assert seen[-1].value == pytest.approx(
            float(last["mean"]), abs=1e-4
        )  # of the last step: the same comparison
        assert events.Scalars(f"similarity_cca_by_chance/{stage}")[0].value == pytest.approx(
            float(last["chance"]), abs=1e-4
        )
    assert "similarity_cca/conv4" not in events.Tags()["scalars"]


def test_looking_does_not_change_the_training(finished, tiny_study, tmp_path):
    _, folder, _ = finished
    api.run(tiny_study(arms=("random",), source__kind="none"), tmp_path / "w")
    assert read(tmp_path / "w", "history.csv") == [
        row for row in read(folder, "history.csv") if row["member"].startswith("random")
    ]
    assert not (tmp_path / "w" / "similarity.csv").exists()


def test_the_report_shows_it(finished):
    _, folder, done = finished
    page = done.report.read_text()
    for title in (
        "before and after training",
        "Similarity of trained networks",
        "stage by stage",
        "Predictions beside those of random",
    ):
        assert title in page
    assert "conv4 is left out: 96 positions of 256 channels" in page
    assert "mean canonical correlation (CCA)" in page and "of the last step" in page
    assert "<h2>Sizes of the comparisons</h2>" in page
    rows = read(folder, "agreement.csv")
    keys = ("arm", "repeat", "weights", "label", "images")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("pretrained", str(r), "last", "grade", "24") for r in range(2)
    ]
    for row in rows:
        a, b = float(row["accuracy_a"]), float(row["accuracy_b"])
        assert float(row["independent"]) == pytest.approx(a * b + (1 - a) * (1 - b))


def best_weights_were_compared(chosen, folder, rows):
    """Checks one pair of similarity.csv, and the accuracies of agreement.csv."""
    members = [arm.member(0) for arm in chosen.arms] + [chosen.arms[0].member(1)]
    best, last = (
        {name: weights.load(folder / place / name, "cbr_tiny") for name in members}
        for place in ("best", "weights")
    )
    moved = [
        not np.array_equal(*(jax.tree.leaves(of[name])[0] for of in (best, last)))
        for name in members
    ]
    assert any(moved)
    data = dataset.open_data(
        chosen.data, dataset.ImageSpec(network="cbr_tiny", channels=3), folder, 0
    )
    network = settings.network(chosen, 1)
    first, second = best[members[1]], best[members[2]]
    probe = Probe(data, network, first, chosen.similarity, meshes.create(1))
    for stage, draws in probe(0, first, second).items():
        (row,) = [
            row
            for row in rows
            if (row["what"], row["arm_a"], row["repeat_a"], row["repeat_b"], row["stage"])
            == ("after", chosen.arms[1].name, "0", "1", stage)
        ]
        mean = np.mean([draw.mean for draw in draws])
        assert float(row["mean"]) == pytest.approx(mean, abs=1e-5)
    images = data.images(jnp.asarray(data.records(data.part(0).val)))
    targets = data.judged.values[data.part(0).val][:, 0] > 0.5
    agreed = read(folder, "agreement.csv")
    assert {row["weights"] for row in agreed} == {"best"}
    (row,) = [row for row in agreed if row["repeat"] == "0"]
    for column, member in (("accuracy_a", members[1]), ("accuracy_b", members[0])):
        logits = network.apply(best[member], images, train=False)[0][:, 0]
        accuracy = ((np.asarray(logits) > 0) == targets).mean()
        assert float(row[column]) == pytest.approx(accuracy)


def test_sampled_and_in_folds(tiny_study, tmp_path, command):
    config = {"kind": "sampled", "positions": 500, "channels": 8, "repeats": 2, "at_end": True}
    config |= {"measure": "pwcca", "weights": "best"}
    changes = {f"similarity__{name}": value for name, value in config.items()}
    chosen = tiny_study(
        arms=("random", "random:he_uniform"),
        source__kind="none",
        data__folds=3,
        data__held_out="both",
        repeats=3,
        recipe__learning_rate=0.1,  # so that the last evaluation is not everyone's best
        **changes,
    )
    page = api.run(chosen, tmp_path / "w").report.read_text()
    rows = read(tmp_path / "w", "similarity.csv")
    assert (
        max(int(row["rank_a"]) for row in rows) == 8
    )  # dead channels among the drawn ones do not count
    assert {row["stage"] for row in rows} == {*STAGES, "conv4"}
    assert "sampled positions and channels" in page and "R²" in page
    assert {(row["measure"], row["weights"], row["mean_trimmed"]) for row in rows} == {
        ("pwcca", "best", "nan")
    }
    assert "accounts for (PWCCA)" in page and "are the best ones" in page
    best_weights_were_compared(chosen, tmp_path / "w", rows)
    # Three repeats are enough for a line: figure 6, here and over several studies.
    assert "Gain in AUC and similarity" in page
    out = command(gains.main)(f"{tmp_path}/w", f"--out={tmp_path}/gains.png")
    assert (
        "of PWCCA" in out
        and "conv4" in out
        and (tmp_path / "gains.png").read_bytes().startswith(b"\x89PNG")
    )


def test_gains_need_studies_that_compared_their_networks(finished, tmp_path, command):
    out = f"--out={tmp_path}/gains.png"
    for args, message in (
        ([f"{tmp_path}/none", out], "has no evaluations.csv and no similarity.csv"),
        ([str(finished[1]), out], "there are 2 members to draw"),
        ([str(finished[1]), f"--out={finished[1]}/results.csv"], "exists already"),
    ):
        error = command(gains.main)(*args, check=2)
        assert message in error and len(error.splitlines()) == 1
    assert not (tmp_path / "gains.png").exists()


def test_a_network_that_has_diverged_is_not_compared_and_stops_nothing(finished, opened, caplog):
    chosen, folder, _ = finished
    variables = weights.load(folder / "weights" / "random-0", "cbr_tiny")
    probe = Probe(
        opened, settings.network(chosen, 1), variables, chosen.similarity, meshes.create(1)
    )
    broken = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), variables)
    with caplog.at_level(logging.WARNING):
        assert probe(0, variables, broken) == {}
    assert "conv1" in caplog.text and "NaN" in caplog.text


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("kind", "exakt", "did you mean"),
        ("measure", "svca", "unknown config.similarity.measure='svca': did you mean 'svcca'"),
        ("weights", "bset", "unknown config.similarity.weights='bset': did you mean 'best'"),
        ("images", 0, "config.similarity.images=0 must be positive"),
        ("every", -1, "config.similarity.every=-1 must not be negative"),
        ("channels", 64, "config.similarity.channels is read by kind='sampled' only"),
    ],
)
def test_options_that_cannot_be(tiny_study, option, value, message):
    with pytest.raises(ConfigError, match="similarity") as error:
        tiny_study(**{f"similarity__{option}": value})
    assert message in str(error.value)


def test_sampling_needs_numbers_above_zero(tiny_study):
    with pytest.raises(ConfigError, match=r"config.similarity.repeats=0 must be positive"):
        tiny_study(similarity__kind="sampled", similarity__repeats=0)
