import dataclasses
import json

import jax
import numpy as np
import pytest

from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import DataError
from transfer_jax.core.processes import Share
from transfer_jax.data import modes, pipeline, resident
from transfer_jax.data.items import Item
from transfer_jax.data.order import Order, shuffled
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest

BATCH = 10


@pytest.fixture(scope="module")
def on_device(opened):
    mesh = meshes.create(5)
    return (
        mesh,
        resident.put(opened[0], mesh),
        jax.jit(lambda images, positions: resident.gather(images, positions, mesh)),
    )


def stream(opened, mode="streamed", seed=0, share=Share(), batch=BATCH):
    found, positions, targets = opened
    load = {"streamed": found, "mapped": found.mapped(), "resident": None}[mode]
    return pipeline.train_batches(
        load,
        targets.columns(),
        Order(shuffled(positions["train"]), len(positions["train"]), batch, seed),
        share,
    )


def images(batch, on_device):
    if "images" in batch:
        return batch["images"]
    mesh, all_of_them, gather = on_device
    return np.asarray(gather(all_of_them, meshes.put_whole(mesh, batch["positions"])))


def take(found, count):
    return [next(found) for _ in range(count)]


def test_records_are_the_images_in_their_order(opened, pixels):
    found = opened[0]
    np.testing.assert_array_equal(found(np.arange(71)), pixels)
    np.testing.assert_array_equal(found(np.array([70, 0, 33, 0])), pixels[[70, 0, 33, 0]])


def test_manifest_statistics_are_those_of_the_training_images(opened, pixels):
    train = pixels[:50] / 255
    np.testing.assert_allclose(opened[0].manifest.mean, train.mean((0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(opened[0].manifest.std, train.std((0, 1, 2)), rtol=1e-6)


@pytest.mark.parametrize("mode", modes.MODES)
def test_every_mode_gives_the_images_and_targets_of_the_order(opened, pixels, on_device, mode):
    _, positions, targets = opened
    order = Order(shuffled(positions["train"]), 50, BATCH, seed=4)
    for number, batch in enumerate(take(stream(opened, mode, seed=4), 12)):
        rows = order.batch(number)
        np.testing.assert_array_equal(images(batch, on_device), pixels[rows])
        np.testing.assert_array_equal(batch["targets"], targets.values[rows])
        np.testing.assert_array_equal(batch["weights"], targets.weights[rows])


@pytest.mark.parametrize("first", modes.MODES)
@pytest.mark.parametrize("then", modes.MODES)
def test_every_mode_goes_on_in_the_middle_of_an_epoch_where_any_mode_stopped(
    opened, on_device, first, then
):
    begun = stream(opened, first, seed=3)
    take(begun, 7)
    state = json.loads(json.dumps(begun.get_state()))
    wanted = [images(batch, on_device) for batch in take(begun, 6)]
    again = stream(opened, then, seed=3)
    again.set_state(state)
    np.testing.assert_array_equal([images(batch, on_device) for batch in take(again, 6)], wanted)


@pytest.mark.parametrize("processes", [2, 5])
def test_processes_side_by_side_make_the_same_global_batch(opened, processes):
    whole = take(stream(opened), 7)
    parts = [take(stream(opened, share=Share(i, processes)), 7) for i in range(processes)]
    for number in range(7):
        for key in ("images", "targets", "weights"):
            np.testing.assert_array_equal(
                np.concatenate([part[number][key] for part in parts]), whole[number][key]
            )
    position = [
        take(stream(opened, "resident", share=Share(i, processes)), 1)[0]["positions"]
        for i in range(processes)
    ]
    for each in position:  # every process needs those of the whole batch
        assert len(each) == BATCH
        np.testing.assert_array_equal(each, position[0])


@pytest.mark.parametrize("devices", [1, 2, 8])
def test_gathering_over_devices_is_indexing(opened, pixels, devices):
    mesh = meshes.create(devices)
    held = resident.put(opened[0], mesh)
    assert held.shape[0] % devices == 0
    assert {shard.data.shape[0] for shard in held.addressable_shards} == {held.shape[0] // devices}
    positions = np.random.default_rng(0).integers(0, 71, 16).astype(np.int32)
    gather = jax.jit(lambda images, positions: resident.gather(images, positions, mesh))
    found = gather(held, meshes.put_whole(mesh, positions))
    np.testing.assert_array_equal(found, pixels[positions])
    assert found.sharding.is_equivalent_to(meshes.batched(mesh), 4)


@pytest.mark.parametrize("mode", modes.MODES)
def test_evaluation_sees_every_image_once_and_in_order(opened, pixels, on_device, mode):
    found, positions, targets = opened
    load = {"streamed": found, "mapped": found.mapped(), "resident": None}[mode]
    val = pipeline.EvalBatches(load, targets.columns(), positions["val"], batch_size=BATCH)
    for _ in range(2):
        seen = list(val)
        weights = np.concatenate([batch["weights"][:, 0] for batch in seen])
        np.testing.assert_array_equal(weights, np.arange(30) < 21)
        np.testing.assert_array_equal(
            np.concatenate([images(batch, on_device) for batch in seen])[:21], pixels[50:]
        )
        np.testing.assert_array_equal(
            np.concatenate([batch["targets"] for batch in seen])[:21], targets.values[50:]
        )
    assert targets.weights.all()  # masking the padding has not touched the targets themselves


def test_evaluation_over_processes_is_the_whole_evaluation_side_by_side(opened):
    found, positions, targets = opened
    whole = list(pipeline.EvalBatches(found, targets.columns(), positions["val"], batch_size=8))
    parts = [
        list(
            pipeline.EvalBatches(
                found, targets.columns(), positions["val"], batch_size=8, share=Share(i, 2)
            )
        )
        for i in range(2)
    ]
    for number, batch in enumerate(whole):
        for key, value in batch.items():
            np.testing.assert_array_equal(
                np.concatenate([part[number][key] for part in parts]), value
            )


@pytest.mark.parametrize(("keep", "times"), [(True, 1), (False, 2)])
def test_kept_batches_are_decoded_once(opened, keep, times):
    found, positions, targets = opened
    seen = []

    def load(own):
        seen.extend(own)
        return found(own)

    val = pipeline.EvalBatches(load, targets.columns(), positions["val"], batch_size=7, keep=keep)
    for once, again in zip(list(val), list(val), strict=True):
        np.testing.assert_array_equal(once["images"], again["images"])
    assert sorted(seen) == sorted(list(positions["val"]) * times)


def copy(folder, place):
    place.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            (place / file.name).write_bytes(file.read_bytes())
    return place


def reopened(folder, splits=("train",)):
    return records.open_splits(folder, Manifest.read(folder), splits)[0]


@pytest.mark.parametrize("mode", modes.MODES)
def test_a_broken_record_in_the_middle_of_a_shard_is_named(fundus, opened, tmp_path, mode):
    folder = copy(fundus[0], tmp_path / "copy")
    shard = next(folder.glob("*-train.*"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    broken = reopened(folder)
    read = {
        "streamed": lambda: take(stream((broken, {"train": np.arange(50)}, opened[2])), 5),
        "mapped": broken.mapped,
        "resident": lambda: resident.put(broken, meshes.create(2)),
    }[mode]
    with pytest.raises(DataError, match="wrong checksum in record"):
        read()
    assert not list(folder.glob("decoded/*"))  # nothing half decoded is kept


def test_what_does_not_belong_together_is_found_when_it_is_opened(fundus, tmp_path):
    folder = copy(fundus[0], tmp_path / "copy")
    table = (folder / "train.csv").read_text()
    (folder / "train.csv").write_text(table.replace("train_000003", "train_000004"))
    with pytest.raises(DataError, match=r"train.csv has changed since"):
        reopened(folder)
    (folder / "train.csv").unlink()
    with pytest.raises(DataError, match=r"train.csv is missing"):
        reopened(folder)
    (folder / "train.csv").write_text(table)
    next(folder.glob("*-train.*")).unlink()
    with pytest.raises(DataError, match="is missing, though the manifest names it"):
        reopened(folder)
    with pytest.raises(DataError, match="no split 'test'"):
        reopened(folder, ("test",))


def test_shards_of_another_preparation_are_found_when_they_are_opened(fundus, tmp_path):
    folder = copy(fundus[0], tmp_path / "copy")
    shard = next(folder.glob("*-train.*"))
    for seed, order in (
        (0, -1),
        (1, 1),
    ):  # the same images in another order; other images under the same names
        items = list(phantom.items("fundus", size=32, counts={"train": 50}, seed=seed))
        other = tmp_path / f"other{seed}"
        writer.write(other, "fundus", items[::order], Form(32, 3, encoding="raw"), source={})
        shard.write_bytes((other / shard.name).read_bytes())
        with pytest.raises(
            DataError, match=r"train.tfrecord-00000-of-00001 has \d+ bytes, the manifest says \d+"
        ):
            reopened(folder)


def test_other_pixels_of_the_same_sizes_and_names_are_found_when_they_are_opened(tmp_path):
    for name in ("one", "two"):
        pixels = np.full((32, 32), len(name) if name == "one" else 9, np.uint8)
        items = [
            Item(f"i{i}", f"p{i}", {"a": i % 2}, lambda pixels=pixels: pixels, "train")
            for i in range(4)
        ]
        writer.write(tmp_path / name, "set", items, Form(32, 1, encoding="raw"), source={})
    shard = next((tmp_path / "one").glob("*-train.*"))
    shard.write_bytes((tmp_path / "two" / shard.name).read_bytes())
    with pytest.raises(
        DataError, match="its records' lengths and checksums are not those of the manifest"
    ):
        reopened(tmp_path / "one")


def test_a_record_that_is_not_its_rows_is_an_error(opened):
    found = opened[0]
    rolled = dataclasses.replace(found.rows, ids=np.roll(found.rows.ids, 1))
    with pytest.raises(DataError, match="is 'fundus_000000', its table says 'fundus_000070'"):
        dataclasses.replace(found, rows=rolled)(np.arange(1))


def test_too_few_images_for_a_batch_are_an_error():
    with pytest.raises(DataError, match="has 50 training images, a batch needs 64"):
        pipeline.check_batch("fundus", 50, 64)


def test_decoded_images_are_kept_and_used_again(fundus, opened, tmp_path):
    folder = copy(fundus[0], tmp_path / "copy")
    first = reopened(folder)
    np.testing.assert_array_equal(first.mapped()(np.arange(50)), opened[0](np.arange(50)))
    before = first.cache().stat().st_mtime_ns
    reopened(folder).mapped()
    assert first.cache().stat().st_mtime_ns == before
    assert [file.name for file in (folder / "decoded").iterdir()] == [first.cache().name]
    assert reopened(folder, ("train", "val")).cache() != first.cache()


@pytest.mark.parametrize(
    ("decoded", "wanted", "device", "host", "disk", "mode"),
    [
        (10, 1000, 100, 100, 100, "resident"),
        (40, 1000, 100, 100, 100, "mapped"),
        (40, 1000, 100, 100, 60, "streamed"),
        (40, 1000, 100, 100, None, "mapped"),  # decoded already
        (60, 1000, 100, 100, None, "streamed"),
        (60, 1000, 100, 100, 1000, "streamed"),
        (10, 150, 100, 100, 100, "streamed"),  # less than two epochs
    ],
)
def test_the_mode_is_chosen_by_size_and_use(decoded, wanted, device, host, disk, mode):
    assert modes.choose(decoded, 100, reads=wanted, device=device, host=host, disk=disk) == mode


def test_memory_and_disk_are_measured(tmp_path):
    assert 1 << 20 < modes.free_on_host() < 1 << 50
    assert modes.free_on_devices(meshes.create(1)) > 1 << 20
    assert modes.free_on_disk(tmp_path) > 0
