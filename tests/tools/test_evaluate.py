"""Networks judged on prepared data: members, means of arms, weights, and what cannot be judged."""

import csv
import json
import math
import re

import numpy as np
import pandas
import pytest
from small_studies import tiny

from transfer_jax import metrics
from transfer_jax.data.config import Phantom
from transfer_jax.runs import fingerprint
from transfer_jax.runs.run import Run
from transfer_jax.studies import runner
from transfer_jax.tools import evaluate


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "tested"
    study = tiny(
        data__test=24,
        arms=("random", "mean_var"),
        recipe__steps=2,
        recipe__eval_every=2,
        source__recipe__steps=1,
        metrics=("auc", "f1"),
    )
    runner.run_study(study, folder)
    return Run(folder)


@pytest.fixture(scope="module")
def data(run):
    (folder,) = (run.folder / "data").glob("fundus*")
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Other images of the same kind."""
    phantom = Phantom(phantom="fundus", size=32, train=8, val=8, test=32)
    return phantom.build(tmp_path_factory.mktemp("elsewhere"), seed=9)


@pytest.fixture
def refused(command):
    """Calls the command, which must exit with code 2 and one line that matches."""

    def call(message, *args):
        error = command(evaluate.main)(*args, check=2)
        assert re.search(message, error) and error.count("\n") == 1, error

    return call


@pytest.fixture
def call(command, tmp_path):
    """Calls the command: what was printed, and the rows of its table."""
    program = command(evaluate.main)

    def called(*args):
        out = program(*args, f"--out={tmp_path}/table.csv")
        with open(tmp_path / "table.csv", newline="") as file:
            return out, list(csv.DictReader(file))

    return called


def test_a_study_judges_its_test_images_at_the_end(run):
    frame = run.evaluations
    ended = frame[(frame["split"] == "test") & (frame["metric"] == "auc")]
    assert set(ended["weights"]) == {"last", "best"} and len(ended) == 8
    for row in ended.itertuples():
        scored = run.scored(row.member, "test", row.weights)
        assert row.value == metrics.measure(scored, ["auc"])[0].value
    assert len(run.predictions) == 4 * 2 * (24 + 24)
    first = run.folder / "predictions" / "random-0.test.last.csv.gz"
    assert len(pandas.read_csv(first)) == 24


def test_validation_predictions_are_those_of_the_last_evaluation(run):
    for entry in run.entries:
        if entry["step"] == 2:
            scored = run.scored(entry["member"], "val")
            assert metrics.measure(scored, ["auc"])[0].value == entry["auc"]


def test_a_member_on_the_study_s_own_test_images(run, data, call):
    out, rows = call(f"{run.folder}:random-1", f"--data={data}", "--metrics=auc,f1")
    frame = run.evaluations
    own = frame[
        (frame["member"] == "random-1") & (frame["split"] == "test") & (frame["weights"] == "last")
    ]
    for row in rows:
        expected = own[own["metric"] == row["metric"]]["value"].item()
        assert float(row["mean"]) == pytest.approx(expected, abs=1e-6)
    assert "random-1 (last weights)" in out and "24 test images" in out


def test_an_arm_is_judged_by_the_mean_of_its_members(run, elsewhere, call, tmp_path):
    path = tmp_path / "p.csv.gz"
    call(f"{run.folder}:random", f"--data={elsewhere}", f"--predictions={path}", "--take=best")
    together = pandas.read_csv(path)["log_odds:grade"]
    probabilities = []
    for repeat in range(2):
        one = tmp_path / f"{repeat}.csv.gz"
        evaluate_one = [f"{run.folder}:random-{repeat}", f"--data={elsewhere}", "--take=best"]
        (tmp_path / "table.csv").unlink()
        call(*evaluate_one, f"--predictions={one}")
        probabilities.append(1 / (1 + np.exp(-pandas.read_csv(one)["log_odds:grade"])))
    np.testing.assert_allclose(1 / (1 + np.exp(-together)), np.mean(probabilities, 0), rtol=1e-5)


def test_weights_with_a_card_on_another_set(run, elsewhere, call):
    place = run.folder / "weights" / "random-0"
    _, from_weights = call(str(place), f"--data={elsewhere}", "--resamples=200")
    assert math.isfinite(float(from_weights[0]["low"]))
    assert from_weights[0]["images"] == "32"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["{run}"], "has 2 arms: name one as"),
        (["{run}:ranom"], "no arm and no member 'ranom': did you mean 'random'"),
        (["{run}:random", "--metrics=acu"], "unknown metric 'acu': did you mean 'auc'"),
        (["{run}:random", "--groups=sex"], "prepare it again with --keep=sex"),
        (["{run}:random", "--groups=age:9,1"], "neither a column"),
        (["{run}:random", "--split=tset"], "has no split 'tset'"),
        (["{run}:random", "--network=cbr_tiny"], "read for weights only"),
        (["{run}:random", "--referable=2"], "referable=2 is for networks that predict classes"),
        (["{run}:random", "--predictions={run}/x.csv"], r"must end in \.csv\.gz"),
        (["{run}/nothing:random"], "nothing"),
        (["{run}/weights/random-0", "--threshold=validation"], "for members of a study"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(run, elsewhere, refused, args, message, tmp_path):
    args = [text.replace("{run}", str(run.folder)) for text in args]
    out = tmp_path / "table.csv"
    refused(message, *args, f"--data={elsewhere}", f"--out={out}")
    assert not out.exists()


def test_labels_that_the_set_lacks_are_told(run, tmp_path, refused):
    phantom = Phantom(phantom="chest", size=32, train=8, val=8, test=8)
    other = phantom.build(tmp_path, seed=0)
    message = "has no label 'grade', which the network predicts"
    refused(message, f"{run.folder}:random", f"--data={other}")


def test_members_of_folds_are_not_judged_on_the_images_that_trained_them(finished_arms, refused):
    folder = finished_arms[0]
    (data,) = (folder / "data").glob("fundus*")
    refused(
        "dealt the val images .* into folds", f"{folder}:random", f"--data={data}", "--split=val"
    )
    # Test images are in no fold: the only thing to say is that this set has none.
    refused("has no split 'test'", f"{folder}:random", f"--data={data}", "--split=test")


def test_the_report_says_which_split_and_which_weights(run):
    from transfer_jax.report import study_page

    page = study_page.page(run)
    assert "Test results" in page and "24 test images" in page
    assert "no difference seen" in page or "higher by" in page or "lower by" in page
    recorded = json.loads((run.folder / "fingerprint.json").read_text())["results"]
    assert {"evaluations.csv", "summary.csv"} <= recorded.keys()
    assert "predictions/random-0.test.best.csv.gz" in fingerprint.recorded_results(run.folder)
