import errno
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from transfer_jax.core import digest
from transfer_jax.core.errors import DataError
from transfer_jax.data import images, phantom, records, shards, spec, writer
from transfer_jax.data.items import MISSING, UNCERTAIN, Item
from transfer_jax.data.shards import Form

FORM = Form(32, 1, encoding="png")
NOTHING = {"source": {}}


def item(number, **changes):
    pixels = np.full((32, 32), number % 256, np.uint8)
    base = {"id": f"i{number}", "patient": f"p{number}", "labels": {"a": number % 2}, "image": lambda: pixels, "split": "train"}
    return Item(**base | changes)


def snapshot(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def small_shards(monkeypatch, images=7):
    monkeypatch.setattr(writer, "SHARD_BYTES", int(images * 32 * 32 * 0.6) + 1)


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_tensorflow_datasets_reads_the_same_folder(tmp_path, encoding):
    items = list(phantom.items("fundus", size=32, counts={"train": 8, "val": 3}, seed=0))
    writer.write(tmp_path / "out", "set", items, Form(32, 3, encoding=encoding), source={"citation": "Someone 2020"})
    builder = tfds.builder_from_directory(tmp_path / "out")
    assert builder.info.splits["train"].num_examples == 8
    assert builder.info.citation == "Someone 2020"
    read = list(tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False)))
    for wanted, example in zip(items[:8], read, strict=True):
        np.testing.assert_array_equal(example["image"], wanted.image())
        assert (example["id"].decode(), example["patient"].decode()) == (wanted.id, wanted.patient)
        assert {k: int(v) for k, v in example["labels"].items()} == wanted.labels
    # And without TensorFlow, record by record.
    found, _ = records.open_splits(tmp_path / "out", spec.Manifest.read(tmp_path / "out"), ["val"])
    np.testing.assert_array_equal(builder.info.features.deserialize_example_np(found.source[0])["image"], items[8].image())


def test_the_manifest_tells_everything(tmp_path):
    values = [0, 1, MISSING, UNCERTAIN, 1]
    items = [item(i, labels={"a": values[i]}, patient=f"p{i // 2}") for i in range(5)] + [item(9, split="val")]
    manifest = writer.write(tmp_path / "set", "set", items, FORM, source={"licence": "CC BY"}, names={"a": ["no", "yes"]})
    assert manifest.labels == {"a": {"counts": {"train": {"-2": 1, "-1": 1, "0": 1, "1": 2}, "val": {"1": 1}}, "names": ["no", "yes"]}}
    assert manifest.values() == {"a": {0, 1}}
    assert {split: (c["records"], c["patients"]) for split, c in manifest.splits.items()} == {"train": (5, 3), "val": (1, 1)}
    for content in manifest.splits.values():
        for entry in [*content["shards"], content["rows"]]:
            assert hashlib.sha256((tmp_path / "set" / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert spec.Manifest.read(tmp_path / "set") == manifest
    table = (tmp_path / "set" / "train.csv").read_text().splitlines()
    assert table[:3] == ["id,patient,a", "i0,p0,0", "i1,p0,1"]
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == [
        "dataset_info.json", "features.json", "manifest.json",
        "set-train.tfrecord-00000-of-00001", "set-val.tfrecord-00000-of-00001", "train.csv", "val.csv",
    ]  # fmt: skip


def test_shards_are_cut_by_size(tmp_path, monkeypatch):
    small_shards(monkeypatch)
    items = list(phantom.items("chest", size=32, counts={"train": 20}, seed=0))
    manifest = writer.write(tmp_path / "set", "set", items, FORM, **NOTHING)
    assert [shard["records"] for shard in manifest.splits["train"]["shards"]] == [7, 7, 6]
    found, _ = records.open_splits(tmp_path / "set", manifest, ["train"])
    np.testing.assert_array_equal(found(np.arange(20)), [i.image() for i in items])
    assert tfds.builder_from_directory(tmp_path / "set").info.splits["train"].num_examples == 20


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([item(0), item(0, patient="q")], "image i0 comes 2 times"),
        ([item(0), item(1, patient="p0", split="val")], "patient p0 in train and val"),
        ([item(0, split="val")], "no image is in the split 'train'"),
        ([item(0), item(1, split="dev")], "split 'dev'"),
        ([item(0), item(1, labels={"b": 0})], "image i1 has the labels b"),
        ([], "no image is in the split 'train'"),
        ([item(0, image=Path("none.png"))], r"none.png cannot be opened .*; 1 of 1 images rejected so far, allowed are 0.0%"),
    ],
)
def test_the_writer_refuses_and_leaves_nothing(items, message, tmp_path):
    with pytest.raises(DataError, match=message):
        writer.write(tmp_path / "set", "set", items, FORM, **NOTHING)
    assert list(tmp_path.iterdir()) == []


def test_overlap_can_be_allowed_and_is_counted(tmp_path):
    manifest = writer.write(tmp_path / "set", "set", [item(0), item(1, patient="p0", split="val")], FORM, allow_overlap=True, **NOTHING)
    assert manifest.overlap == 1


def test_rejected_images_are_listed_with_their_reasons(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"bad")
    items = [item(i) for i in range(8)] + [item(8, image=tmp_path / "bad.png"), item(9, image=tmp_path / "none.png")]
    with pytest.raises(DataError, match=r"2 of 10 images rejected so far, allowed are 10.0%"):
        writer.write(tmp_path / "set", "set", items, FORM, most_rejected=0.1, **NOTHING)
    manifest = writer.write(tmp_path / "set", "set", items, FORM, most_rejected=0.2, **NOTHING)
    assert [(entry["id"], entry["split"]) for entry in manifest.rejected] == [("i8", "train"), ("i9", "train")]
    assert ["not a readable" in manifest.rejected[0]["reason"], "cannot be opened" in manifest.rejected[1]["reason"]] == [True, True]
    assert manifest.splits["train"]["records"] == 8
    found, _ = records.open_splits(tmp_path / "set", manifest, ["train"])
    assert found.rows.ids.tolist() == [f"i{i}" for i in range(8)]
    assert (found(np.arange(8))[:, 0, 0, 0] == np.arange(8)).all()


class Stop(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("at", [3, 7, 12, 20])
def test_an_interrupted_preparation_goes_on_and_ends_the_same(tmp_path, monkeypatch, at):
    small_shards(monkeypatch)
    (tmp_path / "bad.png").write_bytes(b"bad")
    items = [item(i, split="train" if i < 15 else "val") for i in range(20)] + [item(20, image=tmp_path / "bad.png")]
    writer.write(tmp_path / "whole", "set", items, FORM, most_rejected=0.1, **NOTHING)
    done = 0

    def stop(count):
        nonlocal done
        done += count
        if done >= at:
            raise Stop

    with pytest.raises(Stop):
        writer.write(tmp_path / "set", "set", items, FORM, most_rejected=0.1, progress=stop, **NOTHING)
    assert not (tmp_path / "set").exists()
    finished = [path for path in (tmp_path / ".set.unfinished").glob("set-*") if shards.report_of(path).is_file()]
    assert len(finished) == {3: 0, 7: 1, 12: 2, 20: 3}[at]  # shards of 6, 5, 5 and 5
    before = {path: path.stat().st_mtime_ns for path in finished}
    counted = []
    for form, source in ((Form(32, 1, encoding="raw"), {}), (FORM, {"options": {"file": "other.npz"}})):
        with pytest.raises(DataError, match="unfinished preparation of other images or options"):
            writer.write(tmp_path / "set", "set", items, form, most_rejected=0.1, source=source)
    writer.write(tmp_path / "set", "set", items, FORM, most_rejected=0.1, progress=counted.append, **NOTHING)
    assert sum(counted) == 21
    assert snapshot(tmp_path / "set") == snapshot(tmp_path / "whole")
    assert {(tmp_path / "set" / path.name).stat().st_mtime_ns for path in before} == set(before.values())  # not written anew
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.png", "set", "whole"]


def test_a_full_disk_is_told_and_old_data_stay(tmp_path, monkeypatch):
    small_shards(monkeypatch)
    items = [item(i) for i in range(20)]
    writer.write(tmp_path / "old", "set", items, FORM, **NOTHING)
    before = snapshot(tmp_path / "old")
    write, written = shards.tfrecord.write_record, []

    def full(file, payload):
        written.append(payload)
        if len(written) == 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, payload)

    monkeypatch.setattr(shards.tfrecord, "write_record", full)
    with pytest.raises(DataError, match=r"the disk is full: .* make room and repeat the command"):
        writer.write(tmp_path / "new", "set", items, FORM, **NOTHING)
    assert snapshot(tmp_path / "old") == before
    assert not (tmp_path / "new").exists()
    writer.write(tmp_path / "new", "set", items, FORM, **NOTHING)
    assert len(written) == 10 + 13  # the seven of the first shard were kept
    assert snapshot(tmp_path / "new") == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write to .* choose another --out"):
        writer.write(tmp_path / "file" / "set", "set", [item(0)], FORM, **NOTHING)


def test_a_shard_without_its_report_is_written_again(tmp_path, monkeypatch):
    small_shards(monkeypatch)
    items = [item(i) for i in range(20)]
    with pytest.raises(Stop):
        writer.write(tmp_path / "set", "set", items, FORM, progress=lambda count: (_ for _ in ()).throw(Stop()), **NOTHING)
    folder = tmp_path / ".set.unfinished"
    (folder / "set-train.tfrecord-00000-of-00003").write_bytes(b"half")
    (folder / "set-train.tfrecord-00001-of-00003").write_bytes(b"short")
    (folder / "set-train.tfrecord-00001-of-00003.json").write_text(
        json.dumps({"bytes": 99, "sha256": "", "kept": [], "rejected": [], "pixels": 0, "sum": [0], "squares": [0]})
    )
    manifest = writer.write(tmp_path / "set", "set", items, FORM, **NOTHING)
    assert len(records.open_splits(tmp_path / "set", manifest, ["train"])[0]) == 20


def interrupted_after_all_shards(out, items, monkeypatch):
    """The folder of a preparation that was stopped when all shards were done."""
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_finish", lambda *args: (_ for _ in ()).throw(Stop()))
        with pytest.raises(Stop):
            writer.write(out, "set", items, FORM, **NOTHING)
    return out.with_name(f".{out.name}.unfinished")


def test_shards_and_reports_that_were_damaged_meanwhile_are_written_again(tmp_path, monkeypatch):
    small_shards(monkeypatch)
    items = [item(i) for i in range(20)]
    writer.write(tmp_path / "whole", "set", items, FORM, **NOTHING)
    folder = interrupted_after_all_shards(tmp_path / "set", items, monkeypatch)
    first, second, third = sorted(folder.glob("set-*-of-00003"))
    damaged = bytearray(first.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    first.write_bytes(damaged)
    report = shards.report_of(second)
    report.write_text(report.read_text().replace('"sum": [', '"sum": [1'))
    shards.report_of(third).write_text("{")
    plan = folder / "plan.json"
    whole = plan.read_text()
    plan.write_text(whole[:-1])
    with pytest.raises(DataError, match="repeat that command, or remove the folder"):
        writer.write(tmp_path / "set", "set", items, FORM, **NOTHING)
    plan.write_text(whole)
    made, write = [], shards.write
    monkeypatch.setattr(shards, "write", lambda path, *args: made.append(path.name) or write(path, *args))
    writer.write(tmp_path / "set", "set", items, FORM, **NOTHING)
    assert made == [first.name, second.name, third.name]
    assert snapshot(tmp_path / "set") == snapshot(tmp_path / "whole")


def test_large_originals_are_averaged_by_area(tmp_path):
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (320, 320), np.uint8)
    cv2.imwrite(str(tmp_path / "x.png"), original)
    manifest = writer.write(tmp_path / "set", "set", [item(0, image=tmp_path / "x.png")], FORM, **NOTHING)
    found = records.open_splits(tmp_path / "set", manifest, ["train"])[0](np.arange(1))[0, ..., 0]
    np.testing.assert_allclose(found, original.reshape(32, 10, 32, 10).mean((1, 3)), atol=1)


@pytest.mark.parametrize("encoding", images.ENCODINGS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_sets_own_normalisation_is_that_of_its_stored_pixels(tmp_path, encoding, channels):
    rng = np.random.default_rng(0)
    # Sparse blue dots on black: what JPEG makes of them is brighter, as it cannot be below black.
    drawn = [np.where(rng.random((32, 32, 3)) < [0.5, 0.5, 0.1], [90, 60, 70], 0) for _ in range(6)]
    items = [item(i, image=lambda i=i: drawn[i].astype(np.uint8)) for i in range(5)]
    items.append(item(5, split="val", image=lambda: drawn[5].astype(np.uint8)))
    form = Form(32, channels, encoding=encoding)
    manifest = writer.write(tmp_path / "set", "set", items, form, **NOTHING)
    stored = records.open_splits(tmp_path / "set", manifest, ["train"])[0](np.arange(5)) / 255
    own = manifest.normalisation()
    np.testing.assert_allclose(own.mean, stored.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(own.std, stored.std((0, 1, 2)), rtol=1e-6)


def test_dark_deep_images_are_noted_once_and_after_an_interruption_too(tmp_path, monkeypatch):
    small_shards(monkeypatch, images=2)
    items = []
    for i, brightest in enumerate([4095, 2000, 65535, 4095, 255]):
        pixels = np.linspace(0, brightest, 32 * 32).reshape(32, 32).astype(np.uint16 if i < 4 else np.uint8)
        cv2.imwrite(str(tmp_path / f"{i}.png"), pixels)
        items.append(item(i, image=tmp_path / f"{i}.png"))

    done = []

    def stop(count):
        done.append(count)
        if len(done) == 3:
            raise Stop

    source = {"source": {"notes": ["a reader's note"]}}
    with pytest.raises(Stop):
        writer.write(tmp_path / "set", "set", items, FORM, progress=stop, **source)
    manifest = writer.write(tmp_path / "set", "set", items, FORM, **source)
    first, note = manifest.source["notes"]
    assert first == "a reader's note"
    assert "3 of 4 images of more than 8 bits are dark" in note and "at most 6.2%" in note
    assert spec.Manifest.read(tmp_path / "set").source["notes"] == [first, note]
    stretched = writer.write(tmp_path / "b", "b", items, Form(32, 1, encoding="png", stretch=True), **source)
    assert stretched.source["notes"] == [first]


def test_a_report_of_another_version_or_a_damaged_one_does_not_count(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(b"content")
    sha256 = digest.of_file(path)
    whole = {"bytes": 7, "sha256": sha256, "kept": [], "rejected": [], "pixels": 0, "sum": [0], "squares": [0], "reaches": []}
    shards.report_of(path).write_text(json.dumps(digest.seal(whole)))
    assert shards.finished(path) is not None
    older = digest.seal({k: v for k, v in whole.items() if k != "reaches"})
    for content in (json.dumps(older), json.dumps(whole), "{", "[]"):
        shards.report_of(path).write_text(content)
        assert shards.finished(path) is None
