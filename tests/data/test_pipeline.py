import json

import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import phantom, pipeline, spec, writer

COUNTS = {"train": 50, "val": 21}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "fundus"
    writer.write(out, "fundus", phantom.rows("fundus", size=32, counts=COUNTS, seed=0), encoding="png", source={})
    return out


@pytest.fixture(scope="module")
def opened(folder):
    manifest = spec.Manifest.read(folder)
    task = spec.make_task("fundus", manifest.values(), "binary", ("dots",), 3)
    return manifest, task, {split: pipeline.open_split(folder, manifest, split) for split in COUNTS}


def batches(opened, count, share=pipeline.Share(), seed=0, batch_size=10):
    manifest, task, splits = opened
    stream = pipeline.train_batches(splits["train"], manifest, task, batch_size=batch_size, seed=seed, share=share)
    return [next(stream) for _ in range(count)]


def keys(batch):
    return [image.tobytes() for image in batch["image"]]


def test_records_hold_the_images_and_targets_exactly(opened):
    manifest, task, splits = opened
    load = pipeline._Load(splits["train"], manifest, task)
    for i, row in enumerate(phantom.rows("fundus", size=32, counts=COUNTS, seed=0)):
        if row.split == "train":
            loaded = load(i)
            np.testing.assert_array_equal(loaded["image"], row.image)
            assert loaded["targets"] == (row.labels["dots"] >= 3)
            assert loaded["mask"].all()


def test_manifest_statistics_are_those_of_the_training_images(opened):
    images = np.stack([r.image for r in phantom.rows("fundus", size=32, counts=COUNTS, seed=0) if r.split == "train"]) / 255
    np.testing.assert_allclose(opened[0].mean, images.mean((0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(opened[0].std, images.std((0, 1, 2)), rtol=1e-6)


def test_every_epoch_holds_every_image_once_in_another_order(opened):
    epochs = [[k for batch in batches(opened, 10)[start : start + 5] for k in keys(batch)] for start in (0, 5)]
    assert len(set(epochs[0])) == 50
    assert set(epochs[0]) == set(epochs[1])
    assert epochs[0] != epochs[1]


def test_the_order_depends_on_the_seed_alone(opened):
    a, b, c = ([keys(x) for x in batches(opened, 3, seed=seed)] for seed in (0, 0, 1))
    assert a == b
    assert a != c


@pytest.mark.parametrize("processes", [2, 5])
def test_shares_of_processes_make_up_the_same_global_batches(opened, processes):
    whole = [set(keys(b)) for b in batches(opened, 7)]
    shares = [batches(opened, 7, pipeline.Share(i, processes)) for i in range(processes)]
    for step, wanted in enumerate(whole):
        parts = [keys(share[step]) for share in shares]
        assert all(len(part) == 10 // processes for part in parts)
        assert {k for part in parts for k in part} == wanted


def test_resume_is_exact_in_the_middle_of_an_epoch(opened):
    manifest, task, splits = opened

    def stream():
        return pipeline.train_batches(splits["train"], manifest, task, batch_size=10, seed=3)

    first = stream()
    for _ in range(7):
        next(first)
    state = json.loads(json.dumps(first.get_state()))
    wanted = [keys(next(first)) for _ in range(8)]
    second = stream()
    second.set_state(state)
    assert [keys(next(second)) for _ in range(8)] == wanted


def test_evaluation_sees_every_image_once_and_in_order(opened):
    manifest, task, splits = opened
    val = pipeline.EvalBatches(splits["val"], manifest, task, batch_size=8)
    for _ in range(2):
        seen = list(val)
        assert [len(b["image"]) for b in seen] == [8, 8, 8]
        mask = np.concatenate([b["mask"][:, 0] for b in seen])
        np.testing.assert_array_equal(mask, np.arange(24) < 21)
        images = np.concatenate([b["image"] for b in seen])[:21]
        wanted = [r.image for r in phantom.rows("fundus", size=32, counts=COUNTS, seed=0) if r.split == "val"]
        np.testing.assert_array_equal(images, wanted)


def test_evaluation_over_processes_counts_every_image_once(opened):
    manifest, task, splits = opened
    parts = [list(pipeline.EvalBatches(splits["val"], manifest, task, batch_size=8, share=pipeline.Share(i, 2))) for i in range(2)]
    assert [len(p) for p in parts] == [3, 3]
    assert sum(int(b["mask"].sum()) for p in parts for b in p) == 21


def test_a_broken_record_stops_the_iteration_with_its_name(opened, folder, tmp_path):
    manifest, task, _ = opened
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    shard = next(copy.glob("*-train.*"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    stream = pipeline.train_batches(pipeline.open_split(copy, manifest, "train"), manifest, task, batch_size=10, seed=0)
    with pytest.raises(DataError, match="wrong checksum in record"):
        [next(stream) for _ in range(5)]


def test_a_lost_shard_and_a_short_split_are_errors(opened, folder, tmp_path):
    manifest, task, splits = opened
    with pytest.raises(DataError, match="is missing, though the manifest names it"):
        pipeline.open_split(tmp_path, manifest, "train")
    with pytest.raises(DataError, match="no split 'test'"):
        pipeline.open_split(folder, manifest, "test")
    with pytest.raises(DataError, match="has 50 training images, a batch needs 64"):
        pipeline.train_batches(splits["train"], manifest, task, batch_size=64, seed=0)


def test_missing_labels_are_masked():
    task = spec.Task("multilabel", ("a", "b"))
    targets, mask = task.targets({"a": spec.MISSING, "b": 1})
    np.testing.assert_array_equal(targets, [0, 1])
    np.testing.assert_array_equal(mask, [False, True])
    assert not spec.Task("binary", ("a",), threshold=2).targets({"a": spec.MISSING})[1].any()


@pytest.mark.parametrize(
    ("kind", "labels", "threshold", "message"),
    [
        ("binary", ("grad",), 2, "did you mean 'grade'"),
        ("binary", ("grade", "dots"), 2, "takes one label, not 2"),
        ("binary", ("grade",), 9, "threshold=9 leaves one class empty"),
        ("multilabel", ("grade",), None, "takes labels of 0 and 1"),
        ("multilabel", (), None, "at least one label"),
        ("ranking", ("grade",), None, "unknown task kind"),
    ],
)
def test_a_task_that_does_not_fit_the_data_is_an_error(opened, kind, labels, threshold, message):
    with pytest.raises(ConfigError, match=message):
        spec.make_task("fundus", opened[0].values(), kind, labels, threshold)


def test_manifests_are_checked(tmp_path):
    with pytest.raises(DataError, match="does not exist: make it with"):
        spec.Manifest.read(tmp_path / "none")
    with pytest.raises(DataError, match="has no manifest"):
        spec.Manifest.read(tmp_path)
    for content, message in (
        ("{", "not a manifest"),
        ('{"format": 7}', "has format 7"),
        ('{"format": 1, "x": 2}', "not a manifest"),
        ("[]", "not a manifest"),
    ):
        (tmp_path / spec.MANIFEST).write_text(content)
        with pytest.raises(DataError, match=message):
            spec.Manifest.read(tmp_path)
