"""Preparations that are interrupted, run out of disk, or find damaged shards of an earlier run."""

import errno
import json

import cv2
import numpy as np
import pytest
from small_sets import FORM, NOTHING, item, small_shards, snapshot

from transfer_jax.core import digest
from transfer_jax.core.errors import DataError
from transfer_jax.data.prepare import shards, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest


class Stop(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("at", [3, 7, 12, 20])
def test_an_interrupted_preparation_goes_on_and_ends_the_same(tmp_path, monkeypatch, at):
    small_shards(monkeypatch)
    (tmp_path / "bad.png").write_bytes(b"bad")
    items = [item(i, split="train" if i < 15 else "val") for i in range(20)] + [
        item(20, image=tmp_path / "bad.png")
    ]
    writer.write(tmp_path / "whole", "set", items, FORM, most_rejected=0.1, **NOTHING)
    done = 0

    def stop(count):
        nonlocal done
        done += count
        if done >= at:
            raise Stop

    with pytest.raises(Stop):
        writer.write(
            tmp_path / "set", "set", items, FORM, most_rejected=0.1, progress=stop, **NOTHING
        )
    assert not (tmp_path / "set").exists()
    finished = [
        path
        for path in (tmp_path / ".set.unfinished").glob("set-*")
        if shards.report_of(path).is_file()
    ]
    assert len(finished) == {3: 0, 7: 1, 12: 2, 20: 3}[at]  # shards of 6, 5, 5 and 5
    before = {path: path.stat().st_mtime_ns for path in finished}
    counted = []
    for form, source in (
        (Form(32, 1, encoding="raw"), {}),
        (Form(32, 1, encoding="png", resize="nearest"), {}),
        (FORM, {"options": {"file": "other.npz"}}),
    ):
        with pytest.raises(DataError, match="unfinished preparation of other images or options"):
            writer.write(tmp_path / "set", "set", items, form, most_rejected=0.1, source=source)
    writer.write(
        tmp_path / "set", "set", items, FORM, most_rejected=0.1, progress=counted.append, **NOTHING
    )
    assert sum(counted) == 21
    assert snapshot(tmp_path / "set") == snapshot(tmp_path / "whole")
    assert {(tmp_path / "set" / path.name).stat().st_mtime_ns for path in before} == set(
        before.values()
    )  # not written anew
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


def test_a_shard_without_its_report_is_written_again(tmp_path, monkeypatch):
    small_shards(monkeypatch)
    items = [item(i) for i in range(20)]
    with pytest.raises(Stop):
        writer.write(
            tmp_path / "set",
            "set",
            items,
            FORM,
            progress=lambda count: (_ for _ in ()).throw(Stop()),
            **NOTHING,
        )
    folder = tmp_path / ".set.unfinished"
    (folder / "set-train.tfrecord-00000-of-00003").write_bytes(b"half")
    (folder / "set-train.tfrecord-00001-of-00003").write_bytes(b"short")
    (folder / "set-train.tfrecord-00001-of-00003.json").write_text(
        json.dumps(
            {
                "bytes": 99,
                "sha256": "",
                "kept": [],
                "rejected": [],
                "pixels": 0,
                "sum": [0],
                "squares": [0],
            }
        )
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
    monkeypatch.setattr(
        shards, "write", lambda path, *args: made.append(path.name) or write(path, *args)
    )
    writer.write(tmp_path / "set", "set", items, FORM, **NOTHING)
    assert made == [first.name, second.name, third.name]
    assert snapshot(tmp_path / "set") == snapshot(tmp_path / "whole")


def test_dark_deep_images_are_noted_once_and_after_an_interruption_too(tmp_path, monkeypatch):
    small_shards(monkeypatch, images=2)
    items = []
    for i, brightest in enumerate([4095, 2000, 65535, 4095, 255]):
        pixels = (
            np.linspace(0, brightest, 32 * 32)
            .reshape(32, 32)
            .astype(np.uint16 if i < 4 else np.uint8)
        )
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
    assert Manifest.read(tmp_path / "set").source["notes"] == [first, note]
    stretched = writer.write(
        tmp_path / "b", "b", items, Form(32, 1, encoding="png", stretch=True), **source
    )
    assert stretched.source["notes"] == [first]


def test_a_report_of_another_version_or_a_damaged_one_does_not_count(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(b"content")
    sha256 = digest.of_file(path)
    whole = {
        "bytes": 7,
        "sha256": sha256,
        "kept": [],
        "rejected": [],
        "pixels": 0,
        "sum": [0],
        "squares": [0],
        "reaches": [],
    }
    shards.report_of(path).write_text(json.dumps(digest.seal(whole)))
    assert shards.finished(path) is not None
    older = digest.seal({k: v for k, v in whole.items() if k != "reaches"})
    for content in (json.dumps(older), json.dumps(whole), "{", "[]"):
        shards.report_of(path).write_text(content)
        assert shards.finished(path) is None
