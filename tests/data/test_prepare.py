import csv
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from transfer_jax.core.errors import DataError
from transfer_jax.data import examples, images, phantom, pipeline, spec, writer
from transfer_jax.data.catalogue import table

COLUMNS = table.Columns("image", "patient", "split", ("grade", "side"))


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


def prepare(*args, check=0):
    done = subprocess.run([sys.executable, "-m", "transfer_jax.tools.prepare", *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == check, done.stderr
    return done.stdout if check == 0 else done.stderr


def rows_of(raw, **options):
    found = table.read(raw, "labels.csv", COLUMNS)
    return list(table.rows(found, **{"size": 32, "channels": 3, "fit": "pad"} | options))


def test_words_become_numbers_and_empty_cells_missing_labels(raw):
    rows = rows_of(raw)
    assert [r.labels["side"] for r in rows[:3]] == [0, 1, 0]
    assert rows[3].labels["grade"] == spec.MISSING
    assert table.read(raw, "labels.csv", COLUMNS).names == {"side": ["L", "R"]}


def test_images_are_fitted_by_padding_or_squashing(raw):
    original = cv2.cvtColor(cv2.imdecode(np.frombuffer((raw / "images/bild 0 ä.png").read_bytes(), np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    padded, squashed = rows_of(raw)[0].image, rows_of(raw, fit="squash")[0].image
    assert padded.shape == squashed.shape == (32, 32, 3)
    assert (padded[:5] == 0).all()
    assert (padded[-5:] == 0).all()
    assert padded[6:-6].mean() == pytest.approx(original.mean(), rel=0.02)
    np.testing.assert_array_equal(squashed, cv2.resize(original, (32, 32), interpolation=cv2.INTER_AREA))
    assert rows_of(raw, channels=1)[0].image.shape == (32, 32, 1)


def test_tensorflow_datasets_reads_the_same_folder(raw, tmp_path):
    rows = rows_of(raw)
    writer.write(tmp_path / "out", "set", rows, encoding="png", source={})
    builder = tfds.builder_from_directory(tmp_path / "out")
    assert builder.info.splits["train"].num_examples == 8
    read = list(tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False)))
    assert len(read) == 8
    for row, example in zip(rows, read, strict=False):
        np.testing.assert_array_equal(example["image"], row.image)
        assert example["id"].decode() == row.id
        assert example["patient"].decode() == row.patient
        assert {k: int(v) for k, v in example["labels"].items()} == row.labels
    # And without TensorFlow, record by record.
    manifest = spec.Manifest.read(tmp_path / "out")
    record = pipeline.open_split(tmp_path / "out", manifest, "val")[0]
    np.testing.assert_array_equal(builder.info.features.deserialize_example_np(record)["image"], rows[8].image)


def test_the_command_writes_and_tells_what(raw, tmp_path):
    out = prepare(raw, f"--out={tmp_path}/set", "--labels=grade,side", "--size=32")
    assert "train: 8 images of 4 patients" in out
    manifest = spec.Manifest.read(tmp_path / "set")
    assert manifest.labels["side"] == {"counts": {"train": {"0": 4, "1": 4}, "val": {"0": 2, "1": 2}}, "names": ["L", "R"]}
    assert manifest.encoding == "jpeg"


def test_without_a_split_column_patients_are_dealt(raw, tmp_path):
    prepare(raw, f"--out={tmp_path}/set", "--labels=side", "--size=32", "--split=")
    manifest = spec.Manifest.read(tmp_path / "set")
    assert sum(s["records"] for s in manifest.splits.values()) == 12
    patients = {}
    for split in manifest.splits:
        source = pipeline.open_split(tmp_path / "set", manifest, split)
        for i in range(len(source)):
            patients.setdefault(examples.parse(source[i], ()).patient, set()).add(split)
    assert len(patients) == 6
    assert all(len(splits) == 1 for splits in patients.values())


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda raw: None, ["--labels=grad"], "has no column 'grad': did you mean 'grade'?"),
        (lambda raw: (raw / "labels.csv").unlink(), ["--labels=grade"], "labels.csv is missing"),
        (lambda raw: (raw / "images/bild 5 ä.png").unlink(), ["--labels=grade"], "cannot be opened"),
        (lambda raw: (raw / "images/bild 5 ä.png").write_bytes(b"no image"), ["--labels=grade"], "bild 5 ä.png is not a readable JPEG or PNG"),
        (lambda raw: (raw / "images/bild 5 ä.png").write_bytes(b""), ["--labels=grade"], "is not a readable JPEG or PNG"),
        (lambda raw: None, ["--labels=grade", "--size=8"], "--size=8 must lie in 32..4096"),
        (lambda raw: None, ["--labels=grade", "--name=a-b"], "must be letters, digits and underscores"),
        (lambda raw: None, ["--labels=grade", "--fit=crop"], "invalid choice"),
    ],
)
def test_a_users_mistakes_are_one_line_and_leave_nothing(raw, tmp_path, spoil, options, message):
    spoil(raw)
    error = prepare(raw, f"--out={tmp_path}/new/set", *options, check=2)
    assert error.startswith("transfer_jax: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "new" / "set").exists()
    assert not (tmp_path / "new").exists() or list((tmp_path / "new").iterdir()) == []


def test_a_missing_raw_folder_and_an_existing_out_are_errors(raw, tmp_path):
    assert "does not exist" in prepare(tmp_path / "none", f"--out={tmp_path}/set", "--labels=grade", check=2)
    assert "exists already" in prepare(raw, f"--out={raw}", "--labels=grade", "--name=x", check=2)
    assert (raw / "labels.csv").exists()


def row(number, **changes):
    base = {"id": f"i{number}", "patient": f"p{number}", "split": "train", "labels": {"a": 0}, "image": np.zeros((32, 32, 1), np.uint8)}
    return spec.Row(**base | changes)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(0), row(0, patient="q")], "image i0 comes twice"),
        ([row(0), row(1, patient="p0", split="val")], "patient p0 is in two splits, train and val"),
        ([row(0, split="val")], "no image is in the split 'train'"),
        ([], "no image is in the split 'train'"),
    ],
)
def test_the_writer_refuses(rows, message, tmp_path):
    with pytest.raises(DataError, match=message):
        writer.write(tmp_path / "set", "set", rows, encoding="png", source={})
    assert list(tmp_path.iterdir()) == []


def test_shards_are_split_by_size(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_BYTES", 4000)
    written = writer.write(tmp_path / "set", "set", phantom.rows("chest", size=32, counts={"train": 20}, seed=0), encoding="png", source={})
    assert len(written.splits["train"]["shards"]) > 2
    assert len(pipeline.open_split(tmp_path / "set", written, "train")) == 20
    assert tfds.builder_from_directory(tmp_path / "set").info.splits["train"].num_examples == 20


@pytest.mark.parametrize("column", ["split", "patient", "image"])
def test_empty_cells_that_must_be_filled_are_named_with_their_line(raw, column):
    text = (raw / "labels.csv").read_text().splitlines()
    fields = text[4].split(",")
    fields[["image", "patient", "split"].index(column)] = ""
    text[4] = ",".join(fields)
    (raw / "labels.csv").write_text("\n".join(text))
    with pytest.raises(DataError, match=f"line 5: empty cell in column '{column}'"):
        table.read(raw, "labels.csv", COLUMNS)


def test_encodings():
    image = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    np.testing.assert_array_equal(images.decode(images.encode(image, "png"), 3, "x"), image)
    smooth = cv2.GaussianBlur(image, (0, 0), 3)
    assert np.abs(images.decode(images.encode(smooth, "jpeg"), 3, "x").astype(int) - smooth).max() < 12


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "label", "train"), [("fundus_dr", "grade", 420), ("cxr_kermany", "pneumonia", 4126), ("cxr_nih14", "Pneumonia", 726)]
)
def test_the_real_sets_can_be_prepared(shared, tmp_path, name, label, train):
    # Counts: ../shared/data/SOURCES.md.
    prepare(shared / name, f"--out={tmp_path}/{name}", f"--labels={label}", "--size=48", "--grey")
    manifest = spec.Manifest.read(tmp_path / name)
    assert manifest.splits["train"]["records"] == train
    assert 0.1 < manifest.mean[0] < 0.7  # fundus images are mostly black here
