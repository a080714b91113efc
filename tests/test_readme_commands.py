"""The command lines of README.md and of the pages run as they are written, on small raw folders and
runs of their names. Those of `transfer_jax.main` are tested in test_main.py.
"""

import importlib
import re
import shlex
import shutil
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest
from small_studies import tiny

from transfer_jax import api, models, weights
from transfer_jax.data.prepare.catalogue import chexpert, isic2018
from transfer_jax.data.storage.manifest import Manifest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TOOLS = ("prepare", "convert_weights", "compare")
_CALL = re.compile(r"python -m transfer_jax\.tools\.(\w+) (.*)")
# The set of a how-to page, which test_registries_data.py adds and prepares.
_EXAMPLE_SETS = ("--set=toy_xrays",)
PATIENTS = 20
WIDTHS = (8, 8, 12, 12)


def calls():
    """Yields (tool, arguments) of every command line in the pages' shell blocks."""
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                for tool, arguments in _CALL.findall(line):
                    words = shlex.split(arguments)
                    if tool in TOOLS and not set(words) & set(_EXAMPLE_SETS):
                        yield tool, words


CALLS = list(calls())
RNG = np.random.default_rng(0)


def picture(path, channels=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (40, 50, 3) if channels == 3 else (40, 50)
    assert cv2.imwrite(str(path), RNG.integers(0, 256, shape, np.uint8))


def table(folder, columns, row):
    """Writes `labels.csv` and its images; `row` gives the cells of an image after its first two."""
    lines = [f"image,patient,{columns}"]
    for i in range(2 * PATIENTS):
        picture(folder / f"images/{i}.png")
        lines.append(f"images/{i}.png,p{i // 2},{row(i)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def home(i):
    return "train" if i < 1.5 * PATIENTS else "val"


def chexpert_set(folder):
    findings = ",".join(["0.0"] * len(chexpert.FINDINGS))
    for part, count in (("train", PATIENTS), ("valid", 4)):
        lines = [f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(chexpert.FINDINGS)}"]
        for i in range(count):
            path = f"{part}/patient{part == 'valid':d}{i:04d}/study1/view1_frontal.jpg"
            picture(folder / path)
            lines.append(f"{folder.name}/{path},Male,{i},Frontal,AP,{findings}")
        (folder / f"{part}.csv").write_text("\n".join(lines) + "\n")


def isic_set(folder):
    name = "ISIC2018_Task3_Training"
    lines = [f"image,{','.join(isic2018.DIAGNOSES)}"]
    for i in range(3 * len(isic2018.DIAGNOSES)):
        picture(folder / f"{name}_Input/ISIC_{i}.jpg")
        cells = ",".join(str(int(k == i % 7)) for k in range(7))
        lines.append(f"ISIC_{i},{cells}")
    truth = folder / f"{name}_GroundTruth"
    truth.mkdir()
    (truth / f"{name}_GroundTruth.csv").write_text("\n".join(lines) + "\n")


def mrnet_set(folder):
    for part, first in (("train", 0), ("valid", 100)):
        (folder / part / "sagittal").mkdir(parents=True)
        cases = [f"{first + i:04d}" for i in range(12)]
        for case in cases:
            volume = RNG.integers(0, 256, (5, 20, 20), np.uint8)
            np.save(folder / part / "sagittal" / f"{case}.npy", volume)
        for k, label in enumerate(("abnormal", "acl", "meniscus")):
            lines = [f"{case},{int(i % 3 == k)}" for i, case in enumerate(cases)]
            (folder / f"{part}-{label}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly():
    """Compiling is nearly all that these commands do on so small data: numbers do not matter."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with every raw folder and run that the pages name."""
    place = tmp_path_factory.mktemp("readme")
    raw = place / "raw"
    chexpert_set(raw / "CheXpert-v1.0-small")
    isic_set(raw / "isic")
    mrnet_set(raw / "MRNet-v1.0")
    columns = "split,Pneumonia,Infiltration,view,sex,age"
    table(raw / "cxr_nih14", columns, lambda i: f"{home(i)},{i % 2},{i % 3 % 2},PA,{'FM'[i % 2]},5")
    table(raw / "cxr_kermany", "split,pneumonia", lambda i: f"{home(i)},{i % 2}")
    for name in ("fundus", "fundus_dr"):
        table(raw / name, "split,grade", lambda i: f"{home(i)},{i % 5}")
    table(raw / "mine", "split,ill", lambda i: f"{home(i)},{i % 2}")
    table(raw / "hospital_b", "split,ill", lambda i: f"test,{i % 2}")
    for i in range(2 * PATIENTS):
        picture(raw / f"lungs/{('ill', 'well')[i % 2]}/p{i // 2}_{i}.png")
    phantom_run(place)
    shutil.copytree(place / "runs" / "phantom", place / "runs" / "similarity")
    return place


def phantom_run(place):
    """Leaves a finished study in `runs/phantom`: a step from a weight file that nothing trained."""
    shapes = models.without(
        models.shapes(models.create("cbr_tiny", 1, widths=WIDTHS), 32), models.HEADS
    )
    drawn = jax.tree.map(lambda leaf: RNG.random(leaf.shape).astype(np.float32), shapes)
    weights.export(drawn, "cbr_tiny", place / "source.safetensors", widths=WIDTHS)
    changes = {
        "network_options__widths": WIDTHS,
        "source__kind": "weights",
        "source__path": str(place / "source.safetensors"),
        "source__normalisation": "zero_to_one",
        "arms": ("random", "pretrained"),
        "repeats": 1,
        "recipe__steps": 1,
        "recipe__eval_every": 1,
    }
    api.run(tiny(**changes), place / "runs" / "phantom")


def option(words, name):
    return next((word.partition("=")[2] for word in words if word.startswith(f"--{name}=")), None)


def test_the_pages_hold_commands_of_every_tool():
    assert {tool for tool, _ in CALLS} == set(TOOLS)
    assert len(CALLS) >= 14


@pytest.mark.parametrize(
    ("tool", "words"), CALLS, ids=[f"{tool} {' '.join(words[:3])}" for tool, words in CALLS]
)
def test_a_command_runs_as_it_is_written(command, place, monkeypatch, tool, words):
    monkeypatch.chdir(place)
    data = option(words, "data")
    if data and not Path(data).exists():  # made by an earlier command of the pages
        maker = next(each for name, each in CALLS if option(each, "out") == data)
        run_it(command, "prepare", maker)
    out = run_it(command, tool, words)
    if words == ["--list"]:
        assert "CheXpert" in out
    else:
        written = Path(option(words, "out"))
        assert written.exists()
        if tool == "prepare":
            manifest = Manifest.read(written)
            assert sum(content["records"] for content in manifest.splits.values()) >= 10


def run_it(command, tool, words):
    out = option(words, "out")
    if out is not None and Path(out).is_dir():
        shutil.rmtree(out)
    module = importlib.import_module(f"transfer_jax.tools.{tool}")
    return command(module.main)(*words)


def test_a_changed_flag_breaks_these_tests(command, place, monkeypatch):
    monkeypatch.chdir(place)
    words = next(words for tool, words in CALLS if option(words, "resize"))
    renamed = [word.replace("--resize=", "--resizing=") for word in words]
    module = importlib.import_module("transfer_jax.tools.prepare")
    assert "unrecognized arguments: --resizing=" in command(module.main)(*renamed, check=2)
