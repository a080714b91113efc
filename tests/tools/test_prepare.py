import csv
import io
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import cv2
import numpy as np
import pytest

from transfer_jax.data import catalogue, records, spec
from transfer_jax.tools import prepare as tool


@pytest.fixture
def raw(tmp_path):
    """Twelve images in a table, with umlauts and spaces in their names."""
    folder = tmp_path / "röntgen bilder"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with open(folder / "labels.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["image", "patient", "split", "grade", "side"])
        for i in range(12):
            name = f"images/bild {i} ä.png"
            ok, data = cv2.imencode(".png", rng.integers(0, 256, (40, 60, 3), np.uint8))
            assert ok
            (folder / name).write_bytes(data.tobytes())
            out.writerow([name, f"p{i // 2}", "train" if i < 8 else "val", "" if i == 3 else i % 5, "LR"[i % 2]])
    return folder


@pytest.fixture
def prepare(command):
    return command(tool.main)


def test_the_command_writes_and_tells_what(prepare, raw, tmp_path):
    out = prepare(raw, f"--out={tmp_path}/set", "--labels=grade,side", "--size=32", "--licence=CC0")
    assert "train: 8 images of 4 patients, grade missing: 1, 0: 2, 1: 2, 2: 2, 4: 1; side L: 4, R: 4" in out
    assert "splits: the publisher's" in out
    manifest = spec.Manifest.read(tmp_path / "set")
    assert manifest.labels["side"] == {"counts": {"train": {"0": 4, "1": 4}, "val": {"0": 2, "1": 2}}, "names": ["L", "R"]}
    assert (manifest.encoding, manifest.channels, manifest.source["licence"], manifest.source["set"]) == ("jpeg", 3, "CC0", "table")


def test_without_a_split_column_patients_are_dealt(prepare, raw, tmp_path):
    out = prepare(raw, f"--out={tmp_path}/set", "--labels=side", "--size=32", "--split=", "--deal=train:0.5,val:0.25,test:0.25", "--stratify=side")
    assert "splits: dealt train 0.5, val 0.25, test 0.25 by patient, stratified by side, seed 0" in out
    manifest = spec.Manifest.read(tmp_path / "set")
    found, positions = records.open_splits(tmp_path / "set", manifest, list(manifest.splits))
    homes = [set(found.rows.patients[rows].tolist()) for rows in positions.values()]
    assert sum(map(len, homes)) == len(set.union(*homes)) == 6
    assert all(len(set(found.rows.labels["side"][rows].tolist())) == 2 for rows in positions.values())


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
    assert "patients are in several splits, as you allowed" in prepare(raw, f"--out={tmp_path}/set", *deal, "--allow_patient_overlap")
    assert spec.Manifest.read(tmp_path / "set").overlap > 0


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
    assert spec.Manifest.read(tmp_path / "out" / "set").splits["train"]["records"] == 8
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["set"]


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png", "..\\evil.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_that_lead_out_are_refused(prepare, tmp_path, name, kind):
    path = tmp_path / f"raw.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "x")
    else:
        with tarfile.open(path, "w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            archive.addfile(entry, io.BytesIO(b"x"))
    before = set(tmp_path.parent.rglob("*evil*"))
    assert "which leads out of it" in prepare(path, f"--out={tmp_path}/out/set", "--labels=a", check=2)
    assert set(tmp_path.parent.rglob("*evil*")) == before
    assert list((tmp_path / "out").iterdir()) == []


def test_archives_that_are_none_or_hold_links_are_refused(prepare, tmp_path):
    (tmp_path / "raw.zip").write_bytes(b"PK\3\4 nothing")
    assert "cannot be unpacked" in prepare(tmp_path / "raw.zip", f"--out={tmp_path}/set", "--labels=a", check=2)
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    assert "neither a file nor a folder" in prepare(tmp_path / "raw.tar", f"--out={tmp_path}/set", "--labels=a", check=2)
    (tmp_path / "raw.txt").write_text("x")
    assert "neither a folder nor an archive" in prepare(tmp_path / "raw.txt", f"--out={tmp_path}/set", "--labels=a", check=2)


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda raw: None, ["--labels=grad"], "has no column 'grad': did you mean 'grade'?"),
        (lambda raw: None, [], "the following arguments are required: --labels"),
        (lambda raw: (raw / "labels.csv").unlink(), ["--labels=grade"], "labels.csv is missing"),
        (lambda raw: (raw / "images/bild 5 ä.png").unlink(), ["--labels=grade"], "cannot be opened"),
        (lambda raw: (raw / "images/bild 5 ä.png").write_bytes(b"no image"), ["--labels=grade"], "bild 5 ä.png is not a readable JPEG or PNG"),
        (lambda raw: None, ["--labels=grade", "--size=8"], "--size=8 must lie in 32..4096"),
        (lambda raw: None, ["--labels=grade", "--name=a-b"], "must be letters, digits and underscores"),
        (lambda raw: None, ["--labels=grade", "--fit=crop"], "invalid choice"),
        (lambda raw: None, ["--labels=grade", "--max_rejected=2"], "--max_rejected=2.0 must lie in 0..1"),
        (lambda raw: None, ["--labels=grade", "--deal=half"], "must look like train:0.8,val:0.1,test:0.1"),
        (lambda raw: None, ["--labels=grade", "--deal=train:0.5,dev:0.5"], "'dev' is no split"),
        (lambda raw: None, ["--labels=grade", "--deal=train:0.5,val:0.1"], "add up to 1"),
        (lambda raw: None, ["--labels=grade", "--deal=train:nan,val:0.1"], "add up to 1"),
        (lambda raw: None, ["--labels=grade", "--deal_seed=-1"], "--deal_seed=-1 must not be negative"),
        (lambda raw: None, ["--labels=grade", "--stratify=grad"], "cannot stratify by 'grad': did you mean 'grade'?"),
        (lambda raw: None, ["--labels=grade", "--workers=0"], "--workers=0 must be at least 1"),
        (lambda raw: None, ["--set=chexprt"], "did you mean 'chexpert'"),
        (lambda raw: None, ["--set=chexpert"], "train.csv"),
        (lambda raw: None, ["--set=chexpert", "--labels=grade"], "unrecognized arguments: --labels=grade"),
    ],
)
def test_a_users_mistakes_are_one_line_and_leave_nothing(prepare, raw, tmp_path, spoil, options, message):
    spoil(raw)
    error = prepare(raw, f"--out={tmp_path}/new/set", *options, check=2)
    error = "\n".join(line for line in error.splitlines() if "image/s" not in line and "%|" not in line)  # progress
    assert error.startswith("transfer_jax: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "new").exists() or list((tmp_path / "new").iterdir()) == []


def test_a_missing_raw_folder_and_an_existing_out_are_errors(prepare, raw, tmp_path):
    assert "does not exist" in prepare(tmp_path / "none", f"--out={tmp_path}/set", "--labels=grade", check=2)
    assert "exists already" in prepare(raw, f"--out={raw}", "--labels=grade", "--name=x", check=2)
    assert (raw / "labels.csv").exists()


def test_the_list_shows_every_set(prepare):
    out = prepare("--list")
    for name in catalogue.names():
        assert f"{name}: {catalogue.card(name).title}" in out
        assert catalogue.card(name).citation in out
    assert "tfds:NAME" in out


def test_ctrl_c_keeps_finished_shards_and_the_same_command_goes_on(raw, tmp_path):
    # As a user does it: another process, a real signal, in the middle of many slow images.
    rows = (raw / "labels.csv").read_text().splitlines()
    rng = np.random.default_rng(0)
    big = cv2.imencode(".png", rng.integers(0, 256, (1500, 1500, 3), np.uint8))[1].tobytes()
    for i in range(40):
        (raw / f"images/{i}.png").write_bytes(big)
        rows.append(f"images/{i}.png,q{i},train,1,L")
    (raw / "labels.csv").write_text("\n".join(rows))
    call = [sys.executable, "-m", "transfer_jax.tools.prepare", str(raw), f"--out={tmp_path}/set", "--labels=side", "--size=1400", "--encoding=raw"]
    call += ["--workers=1"]
    running = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / ".set.unfinished"
    while not list(folder.glob("*.json")) or len(list(folder.glob("*.json"))) < 2:  # the plan and a shard
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
    assert "train: 48 images" in done.stdout
    assert all((tmp_path / "set" / name).stat().st_mtime_ns == when for name, when in kept.items())
    assert not folder.exists()


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "label", "train"), [("fundus_dr", "grade", 420), ("cxr_kermany", "pneumonia", 4126), ("cxr_nih14", "Pneumonia", 726)]
)
def test_the_real_sets_can_be_prepared(prepare, shared, tmp_path, name, label, train):
    # Counts: ../shared/data/SOURCES.md.
    prepare(shared / name, f"--out={tmp_path}/{name}", f"--labels={label}", "--size=48", "--grey")
    manifest = spec.Manifest.read(tmp_path / name)
    assert manifest.splits["train"]["records"] == train
    assert 0.1 < manifest.mean[0] < 0.7  # fundus images are mostly black here
