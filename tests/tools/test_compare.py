import csv
import html
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from transfer_jax import models, weights
from transfer_jax.analysis import agreement, cca
from transfer_jax.compare import sides
from transfer_jax.data import augment
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.runs import predicting
from transfer_jax.tools import compare

ARM = "transfusion_conv2_gabor"
WIDTHS = (8, 8, 12, 12)


@pytest.fixture
def call(command, tmp_path):
    """Calls the command with its page in `tmp_path`: what was printed, the page, and the table's
    rows.
    """
    run = command(compare.main)

    def called(*args):
        out = run(*args, f"--out={tmp_path}/page.html")
        with open(tmp_path / "page.csv", newline="") as file:
            return out, (tmp_path / "page.html").read_text(), list(csv.DictReader(file))

    return called


@pytest.fixture(scope="module")
def data(finished_arms):
    (folder,) = (finished_arms[0] / "data").glob("fundus*")
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Weights of another network, without a head and without a word about it."""
    shapes = models.without(
        models.shapes(models.create("cbr_small", 1, widths=WIDTHS), 32), models.HEADS
    )
    rng = np.random.default_rng(0)
    drawn = jax.tree.map(lambda leaf: (0.5 + rng.random(leaf.shape)).astype(np.float32), shapes)
    drawn["params"] = jax.tree.map(
        lambda leaf: leaf - 1 if leaf.ndim == 4 else leaf, drawn["params"]
    )
    path = tmp_path_factory.mktemp("bare") / "small.safetensors"
    weights.export(drawn, "cbr_small", path, widths=WIDTHS)
    return path


def text(page):
    return " ".join(re.sub("<[^>]*>", " ", page).split())


def activations(network, variables, raw):
    module = models.create(network.network, 1, **network.card.options)
    images = augment.normalise(jnp.asarray(raw), network.card.normalisation)
    return jax.jit(lambda variables: module.apply(variables, images, train=False)[1])(variables)


def test_two_arms_of_a_study_each_repeat_on_its_own_fold(finished_arms, call):
    folder, begun = finished_arms
    out, page, rows = call(f"{folder}:random", f"{folder}:{ARM}")
    assert re.search(r"conv4 +0\.\d{3} ± 0\.\d{3}", out)
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing outside the file
    for title in (
        "Layer by layer",
        "Before and after training",
        "All pairs of stages",
        "First-layer filters",
        "Predictions",
    ):
        assert f"<h2>{title}</h2>" in page
    assert page.count("data:image/png;base64,") == 5
    assert "each repeat by its own fold" in page
    assert f"transfer_jax.tools.compare {folder}:random" in text(page)
    counts = {(row["repeat"], row["what"]): 0 for row in rows}
    for row in rows:
        counts[row["repeat"], row["what"]] += 1
    kinds = {
        "A to B, trained": 16,
        "A to B, initial": 4,
        "A, initial to trained": 4,
        "B, initial to trained": 4,
    }
    assert counts == {(repeat, what): number for repeat in "01" for what, number in kinds.items()}
    a, b = (sides.open_side(f"{folder}:{arm}") for arm in ("random", ARM))
    val = a.dataset.parts[1].val
    number = min(len(part.val) for part in a.dataset.parts)
    raw = a.dataset.records(val[np.linspace(0, len(val) - 1, number).round().astype(int)])
    network = a.trained(1)
    one, other, began = (
        activations(network, of, raw)
        for of in (network.variables, b.trained(1).variables, begun["random-1"])
    )
    for what, first, second, stages in (
        ("A to B, trained", one, other, ("conv2", "conv2")),
        ("A, initial to trained", began, one, ("conv4", "conv4")),
    ):
        x, y = (
            np.asarray(found[stage]).reshape(-1, found[stage].shape[-1])
            for found, stage in zip((first, second), stages, strict=True)
        )
        by_hand = cca.similarity(x, y)
        (row,) = [
            r
            for r in rows
            if (r["repeat"], r["what"], r["stage_a"], r["stage_b"]) == ("1", what, *stages)
        ]
        assert float(row["mean"]) == pytest.approx(by_hand.mean, abs=1e-3)
        assert (int(row["n"]), float(row["chance"])) == (by_hand.n, pytest.approx(by_hand.chance))


def test_weights_go_with_every_repeat_of_a_study(finished_arms, call, data):
    folder, _ = finished_arms
    _, page, rows = call(
        folder / "best" / "random-1",
        f"{folder}:{ARM}",
        f"--data={data}",
        "--splits=train,val",
        "--take=best",
        "--images=40",
        "--measure=svcca",
    )
    assert {row["measure"] for row in rows} == {"svcca"}
    assert "hold 99% of each side's variance (SVCCA)" in html.unescape(page)
    assert "best (lowest validation loss)" in page
    assert {row["what"] for row in rows} == {"A to B, trained", "B, initial to trained"}
    assert {row["repeat"] for row in rows} == {"0", "1"}
    assert "72 images of fundus" in page and "stages on 40 of them" in page
    paths = (
        folder / "best" / "random-1",
        *(folder / "best" / f"{ARM}-{repeat}" for repeat in (0, 1)),
    )
    log_odds = [
        predicting.predict(str(path), "cbr_tiny", data, ("train", "val")).outputs["grade"]
        for path in paths
    ]
    first, *others = (special.expit(values.astype(np.float64))[:, None] for values in log_odds)
    found, _ = records.open_splits(data, Manifest.read(data), ("train", "val"))
    targets = (found.rows.labels["grade"] >= 2).astype(np.float32)[:, None]
    by_hand = [agreement.compare("binary", first, other, targets)[0] for other in others]
    cells = re.search(r"grade 72 (.*?) Prediction similarity is", text(page)).group(1)
    assert f"{np.mean([one.similarity for one in by_hand]):.3f} ±" in cells
    assert f"{np.mean([one.independent for one in by_hand]):.3f} ±" in cells


def test_weights_of_different_networks_by_samples(finished_arms, call, data, bare):
    folder, _ = finished_arms
    out, page, rows = call(
        folder / "weights" / "random-0", bare, f"--data={data}", "--sampling", "--measure=cka"
    )
    assert "CKA" in out and "trimmed" not in out and "Weights of members" not in page
    assert {(row["repeat"], row["what"]) for row in rows} == {("0", "A to B, trained")}
    assert "Predictions are not compared" in page and "small.safetensors has no head" in page
    assert "10,000 positions and 64 channels, mean of 5 draws" in page
    assert "cbr_small, widths=(8, 8, 12, 12), layout torchvision; normalisation imagenet" in text(
        page
    )
    assert page.count("data:image/png;base64,") == 3
    assert all(0 < float(row["mean"]) < 1 and int(row["rank_a"]) <= 12 for row in rows)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("{run}:random", "none"), "none does not exist: give a weight file"),
        (("{run}:randm", "{run}:random"), "has no arm 'randm': did you mean 'random'"),
        (("{run}", "{run}:random"), "has 2 arms: name one as"),
        (("{copy}:random", "{run}:random"), "is not finished (it has no weights/random-1)"),
        (
            ("{run}:random", "{run}/weights/random-0"),
            "--data is missing: {run}/weights/random-0 is weights",
        ),
        (("{bare}", "{run}/weights/random-0", "--data=none"), "data folder none does not exist"),
        (("{bare}", "{damaged}", "--data={data}"), "damaged.safetensors is cut off: the file has"),
        (
            ("{bare}", "{bare}", "--data={data}", "--network_a=cbr_tiny"),
            "small.safetensors does not fit cbr_tiny",
        ),
        (("{bare}", "{bare}", "--data={data}", "--take=best"), "--take=best is read for studies"),
        (("{bare}", "{bare}", "--data={data}", "--splits=test"), "has no split 'test'"),
        (("{bare}", "{bare}", "--data={data}", "--splits=val, val"), "'val' is named twice"),
        (
            ("{bare}", "{bare}", "--data={data}", "--images=2"),
            "2 images are too few. Give at least 4, better ten times as many",
        ),
        (("{run}:random", "{run}:random", "--splits=val"), "--splits=val is read with --data only"),
        (("{run}:random", "{run}:random", "--images=0"), "--images=0 must be positive"),
        (("{run}:random", "{run}:random", "--out=page.png"), "--out=page.png must end in .html"),
        (("{run}:random", "{run}:random", "--out={there}"), "exists already: remove it"),
        (("{run}:random", "{run}:random", "--measure=rv"), "invalid choice: 'rv'"),
        (("{run}:random",), "the following arguments are required: RUN_B"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    finished_arms, data, bare, tmp_path, command, args, message
):
    names = {
        "run": finished_arms[0],
        "data": data,
        "bare": bare,
        "copy": tmp_path / "copy",
        "there": tmp_path / "there.html",
    }
    names["damaged"] = tmp_path / "damaged.safetensors"
    names["damaged"].write_bytes(bare.read_bytes()[:-100])
    shutil.copytree(
        finished_arms[0], names["copy"], ignore=shutil.ignore_patterns("random-1", "checkpoints")
    )
    names["there"].write_text("")
    before = sorted(tmp_path.rglob("*"))
    out = () if any(arg.startswith("--out") for arg in args) else (f"--out={tmp_path}/page.html",)
    error = command(compare.main)(*(arg.format(**names) for arg in args), *out, check=2)
    assert message.format(**names) in error and error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
