import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds
from small_sets import FORM, NOTHING, item, small_shards

from transfer_jax.core.errors import DataError
from transfer_jax.data.items import MISSING, UNCERTAIN
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage import image_codec, records
from transfer_jax.data.storage.manifest import Manifest


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_tensorflow_datasets_reads_the_same_folder(tmp_path, encoding):
    items = list(phantom.items("fundus", size=32, counts={"train": 8, "val": 3}, seed=0))
    writer.write(
        tmp_path / "out",
        "set",
        items,
        Form(32, 3, encoding=encoding),
        source={"citation": "Someone 2020"},
    )
    builder = tfds.builder_from_directory(tmp_path / "out")
    assert builder.info.splits["train"].num_examples == 8
    assert builder.info.citation == "Someone 2020"
    read = list(tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False)))
    for wanted, example in zip(items[:8], read, strict=True):
        np.testing.assert_array_equal(example["image"], wanted.image())
        assert (example["id"].decode(), example["patient"].decode()) == (wanted.id, wanted.patient)
        assert {k: int(v) for k, v in example["labels"].items()} == wanted.labels
    # And without TensorFlow, record by record.
    found, _ = records.open_splits(tmp_path / "out", Manifest.read(tmp_path / "out"), ["val"])
    np.testing.assert_array_equal(
        builder.info.features.deserialize_example_np(found.source[0])["image"], items[8].image()
    )


def test_the_manifest_tells_everything(tmp_path):
    values = [0, 1, MISSING, UNCERTAIN, 1]
    items = [item(i, labels={"a": values[i]}, patient=f"p{i // 2}") for i in range(5)] + [
        item(9, split="val")
    ]
    manifest = writer.write(
        tmp_path / "set",
        "set",
        items,
        FORM,
        source={"licence": "CC BY"},
        names={"a": ["no", "yes"]},
    )
    assert manifest.labels == {
        "a": {
            "counts": {"train": {"-2": 1, "-1": 1, "0": 1, "1": 2}, "val": {"1": 1}},
            "names": ["no", "yes"],
        }
    }
    assert manifest.values() == {"a": {0, 1}}
    assert {split: (c["records"], c["patients"]) for split, c in manifest.splits.items()} == {
        "train": (5, 3),
        "val": (1, 1),
    }
    for content in manifest.splits.values():
        for entry in [*content["shards"], content["rows"]]:
            assert (
                hashlib.sha256((tmp_path / "set" / entry["file"]).read_bytes()).hexdigest()
                == entry["sha256"]
            )
    assert Manifest.read(tmp_path / "set") == manifest
    table = (tmp_path / "set" / "train.csv").read_text().splitlines()
    assert table[:3] == ["id,patient,a", "i0,p0,0", "i1,p0,1"]
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == [
        "dataset_info.json", "features.json", "manifest.json",
        "set-train.tfrecord-00000-of-00001", "set-val.tfrecord-00000-of-00001", "train.csv",
        "val.csv",
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
        ([item(0), item(1, split="dev")], "split 'dev'"),
        ([item(0), item(1, labels={"b": 0})], "image i1 has the labels b"),
        ([], "there are no images to write"),
        ([item(0, split=None)], "an image is in the split None"),
        (
            [item(0, image=Path("none.png"))],
            r"none.png cannot be opened .*; 1 of 1 images rejected so far, allowed are 0.0%",
        ),
        ([item(0, split="test", image=Path("none.png"))], r"none.png cannot be opened"),
    ],
)
def test_the_writer_refuses_and_leaves_nothing(items, message, tmp_path):
    with pytest.raises(DataError, match=message):
        writer.write(tmp_path / "set", "set", items, FORM, **NOTHING)
    assert list(tmp_path.iterdir()) == []


def test_overlap_can_be_allowed_and_is_counted(tmp_path):
    manifest = writer.write(
        tmp_path / "set",
        "set",
        [item(0), item(1, patient="p0", split="val")],
        FORM,
        allow_overlap=True,
        **NOTHING,
    )
    assert manifest.overlap == 1


def test_rejected_images_are_listed_with_their_reasons(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"bad")
    items = [item(i) for i in range(8)] + [
        item(8, image=tmp_path / "bad.png"),
        item(9, image=tmp_path / "none.png"),
    ]
    with pytest.raises(DataError, match=r"2 of 10 images rejected so far, allowed are 10.0%"):
        writer.write(tmp_path / "set", "set", items, FORM, most_rejected=0.1, **NOTHING)
    manifest = writer.write(tmp_path / "set", "set", items, FORM, most_rejected=0.2, **NOTHING)
    assert [(entry["id"], entry["split"]) for entry in manifest.rejected] == [
        ("i8", "train"),
        ("i9", "train"),
    ]
    assert [
        "not a readable" in manifest.rejected[0]["reason"],
        "cannot be opened" in manifest.rejected[1]["reason"],
    ] == [True, True]
    assert manifest.splits["train"]["records"] == 8
    found, _ = records.open_splits(tmp_path / "set", manifest, ["train"])
    assert found.rows.ids.tolist() == [f"i{i}" for i in range(8)]
    assert (found(np.arange(8))[:, 0, 0, 0] == np.arange(8)).all()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write to .* choose another --out"):
        writer.write(tmp_path / "file" / "set", "set", [item(0)], FORM, **NOTHING)


def test_large_originals_are_averaged_by_area(tmp_path):
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (320, 320), np.uint8)
    cv2.imwrite(str(tmp_path / "x.png"), original)
    manifest = writer.write(
        tmp_path / "set", "set", [item(0, image=tmp_path / "x.png")], FORM, **NOTHING
    )
    found = records.open_splits(tmp_path / "set", manifest, ["train"])[0](np.arange(1))[0, ..., 0]
    np.testing.assert_allclose(found, original.reshape(32, 10, 32, 10).mean((1, 3)), atol=1)


@pytest.mark.parametrize("encoding", image_codec.ENCODINGS)
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
