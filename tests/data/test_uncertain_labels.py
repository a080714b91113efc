"""Studies of uncertain labels, from policies to self-training."""

import csv

import numpy as np
import pytest

from transfer_jax import api, settings
from transfer_jax.data.items import UNCERTAIN, Item
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage import records
from transfer_jax.report.study_page import console
from transfer_jax.tools import predict

LABELS = ("consolidation", "effusion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data")
    items = []
    for i, drawn in enumerate(
        phantom.items("chest", size=32, counts={"train": 48, "val": 32}, seed=0)
    ):
        labels = {name: drawn.labels[name] for name in LABELS}
        if i % 6 == 0:
            labels["effusion"] = UNCERTAIN
        items.append(Item(drawn.id, drawn.patient, labels, drawn.image, drawn.split))
    writer.write(
        place / "chest",
        "chest",
        items,
        Form(32, 1, encoding="png"),
        source={"licence": "of the tests"},
    )
    return place


def study(folder, **data):
    config = settings.template()
    config.devices, config.repeats = 1, 2
    config.data.update(kind="records", path=str(folder / "chest"), task="multilabel", labels=LABELS)
    config.data.update(data)
    config.recipe.update(steps=2, batch_size=8, eval_every=2)
    config.arms = ("random",)
    return settings.load(config)


def history(workdir):
    with open(workdir / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_self_training_goes_by_way_of_a_table(folder, tmp_path, command):
    api.run(study(folder), tmp_path / "first")
    call = (
        tmp_path / "first/weights/random-0",
        "cbr_tiny",
        f"--data={folder}/chest",
        f"--out={tmp_path}/p.csv",
        "--splits=train,val",
    )
    assert "80 images, consolidation, effusion" in command(predict.main)(*call)
    with open(tmp_path / "p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    given = np.array([[float(row[label]) for label in LABELS] for row in rows])
    assert len({row["id"] for row in rows}) == 80
    assert ((given > 0) & (given < 1)).all()
    log_odds = np.array([[float(row[f"log-odds of {label}"]) for label in LABELS] for row in rows])
    np.testing.assert_allclose(log_odds, np.log(given / (1 - given)), rtol=1e-4, atol=1e-6)
    # The same scores as the study's own evaluation: their AUC is what its history says.
    val = [(row["id"], float(row["consolidation"])) for row in rows[48:]]
    truth = {
        item.id: item.labels["consolidation"]
        for item in phantom.items("chest", size=32, counts={"train": 48, "val": 32}, seed=0)
    }
    positive, negative = (
        [score for name, score in val if truth[name] == value] for value in (1, 0)
    )
    auc = np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative])
    last = [entry for entry in history(tmp_path / "first") if entry["member"] == "random-0"][-1]
    assert float(last["auc/consolidation"]) == pytest.approx(auc, abs=0.01)
    assert "exists already" in command(predict.main)(*call, check=2)

    done = api.run(
        study(folder, uncertain=("self_trained",), predictions=str(tmp_path / "p.csv")),
        tmp_path / "second",
    )
    assert "random" in console(done)
    assert (
        history(tmp_path / "second")[-1]["train_loss"]
        != history(tmp_path / "first")[-1]["train_loss"]
    )


def test_an_uncertain_class_of_its_own_in_folds(folder, tmp_path, monkeypatch, command):
    opened = []
    monkeypatch.setattr(
        records,
        "open_splits",
        lambda *args, whole=records.open_splits: opened.append(args) or whole(*args),
    )
    done = api.run(
        study(
            folder,
            uncertain=("ignore", "effusion:multiclass"),
            folds=2,
            held_out="both",
            balance="weights",
            mode="mapped",
        ),
        tmp_path / "w",
    )
    entries = history(tmp_path / "w")
    assert {entry["member"] for entry in entries} == {"random-0", "random-1"}
    assert all(0 <= float(entry["auc/effusion"]) <= 1 for entry in entries)
    assert len(opened) == 1  # what was opened to be checked is what is read
    assert "in fold 1 of 2" in done.report.read_text()
    call = (
        tmp_path / "w/weights/random-0",
        "cbr_tiny",
        f"--data={folder}/chest",
        f"--out={tmp_path}/p.csv",
    )
    assert "does not say what its 4 outputs are" in command(predict.main)(*call, check=2)
    assert not (tmp_path / "p.csv").exists()
