import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import cv2
import numpy as np
import pytest

from transfer_jax.data.prepare import catalogue
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest


def test_the_command_writes_and_tells_what(prepare, raw, tmp_path):
    out = prepare(raw, f"--out={tmp_path}/set", "--labels=grade,side", "--size=32", "--licence=CC0")
    assert (
        "train: 8 images of 4 patients, grade missing: 1, 0: 2, 1: 2, 2: 2, 4: 1; side L: 4, R: 4"
        in out
    )
    assert "splits: the publisher's" in out
    manifest = Manifest.read(tmp_path / "set")
    assert manifest.labels["side"] == {
        "counts": {"train": {"0": 4, "1": 4}, "val": {"0": 2, "1": 2}},
        "names": ["L", "R"],
    }
    assert (
        manifest.encoding,
        manifest.channels,
        manifest.source["licence"],
        manifest.source["set"],
    ) == ("jpeg", 3, "CC0", "table")


def test_without_a_split_column_patients_are_dealt(prepare, raw, tmp_path):
    out = prepare(
        raw,
        f"--out={tmp_path}/set",
        "--labels=side",
        "--size=32",
        "--split=",
        "--deal=train:0.5,val:0.25,test:0.25",
        "--stratify=side",
    )
    assert (
        "splits: dealt train 0.5, val 0.25, test 0.25 by patient, stratified by side, seed 0" in out
    )
    manifest = Manifest.read(tmp_path / "set")
    found, positions = records.open_splits(tmp_path / "set", manifest, list(manifest.splits))
    homes = [set(found.rows.patients[rows].tolist()) for rows in positions.values()]
    assert sum(map(len, homes)) == len(set.union(*homes)) == 6
    assert all(
        len(set(found.rows.labels["side"][rows].tolist())) == 2 for rows in positions.values()
    )


def test_twelve_bits_in_sixteen_are_noted_once(prepare, raw, tmp_path):
    for path in (raw / "images").iterdir():
        array = np.frombuffer(path.read_bytes(), np.uint8)
        deep = cv2.imdecode(array, cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 16
        path.write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    call = (raw, "--labels=side", "--size=32", "--grey")
    out = prepare(*call, f"--out={tmp_path}/set")
    assert out.count("note:") == 1
    assert "note: 12 of 12 images of more than 8 bits are dark: they use at most 6.2% of" in out
    assert "--stretch" in out
    assert "note:" not in prepare(*call, f"--out={tmp_path}/stretched", "--stretch")


def test_a_split_that_leaks_must_be_asked_for(prepare, raw, tmp_path):
    deal = ("--labels=side", "--size=32", "--deal=train:0.5,val:0.5", "--by=image")
    assert "a patient belongs to one" in prepare(raw, f"--out={tmp_path}/set", *deal, check=2)
    assert "patients are in several splits, as you allowed" in prepare(
        raw, f"--out={tmp_path}/set", *deal, "--allow_patient_overlap"
    )
    assert Manifest.read(tmp_path / "set").overlap > 0


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_are_read_and_nothing_of_them_is_left(prepare, raw, tmp_path, kind):
    path = tmp_path / f"raw.{kind}"
    files = [file for file in raw.rglob("*") if file.is_file()]
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(raw))
    else:
        with tarfile.open(path, "w:gz") as archive:
            for file in files:
                archive.add(file, file.relative_to(raw))
    prepare(path, f"--out={tmp_path}/out/set", "--labels=side", "--size=32")
    assert Manifest.read(tmp_path / "out" / "set").splits["train"]["records"] == 8
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["set"]


def test_the_list_shows_every_set(prepare):
    out = prepare("--list")
    for name in catalogue.DATA_SETS:
        assert f"{name}: {catalogue.card(name).title}" in out
        assert catalogue.card(name).citation in out
    assert "tfds:NAME" in out


def test_ctrl_c_keeps_finished_shards_and_the_same_command_goes_on(raw, tmp_path):
    # As a user does it: another process, a real signal, in the middle of many slow images.
    rows = (raw / "labels.csv").read_text().splitlines()
    rng = np.random.default_rng(0)
    big = cv2.imencode(".png", rng.integers(0, 256, (1500, 1500, 3), np.uint8))[1].tobytes()
    for i in range(80):
        (raw / f"images/{i}.png").write_bytes(big)
        rows.append(f"images/{i}.png,q{i},train,1,L")
    (raw / "labels.csv").write_text("\n".join(rows))
    call = [
        sys.executable,
        "-m",
        "transfer_jax.tools.prepare",
        str(raw),
        f"--out={tmp_path}/set",
        "--labels=side",
        "--size=1400",
        "--encoding=raw",
    ]
    call += ["--workers=1"]
    running = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / ".set.unfinished"
    while len(list(folder.glob("*.json"))) < 2:  # the plan and a shard
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    error = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert "the same command goes on" in error.splitlines()[-1]
    assert "Traceback" not in error
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("set-*-of-?????")}
    assert kept
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert "train: 88 images" in done.stdout
    assert all((tmp_path / "set" / name).stat().st_mtime_ns == when for name, when in kept.items())
    assert not folder.exists()


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "label", "train"),
    [
        ("fundus_dr", "grade", 420),
        ("cxr_kermany", "pneumonia", 4126),
        ("cxr_nih14", "Pneumonia", 726),
    ],
)
def test_the_real_sets_can_be_prepared(prepare, shared, tmp_path, name, label, train):
    # Counts: ../shared/data/SOURCES.md.
    prepare(shared / name, f"--out={tmp_path}/{name}", f"--labels={label}", "--size=48", "--grey")
    manifest = Manifest.read(tmp_path / name)
    assert manifest.splits["train"]["records"] == train
    assert 0.1 < manifest.mean[0] < 0.7  # fundus images are mostly black here
