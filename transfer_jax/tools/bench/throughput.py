"""Images per second of each mode of reading, beside the bare decoder and tf.data, and of the
augmentations.

All readers read the same files in one run.
"""

from __future__ import annotations

import importlib.util
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.core import mesh as meshes
from transfer_jax.core.errors import ConfigError
from transfer_jax.data import augment, pipeline, resident
from transfer_jax.data.items import Item
from transfer_jax.data.order import Order, shuffled
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage import examples, image_codec, records
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.data.storage.records import Records
from transfer_jax.data.task import Targets
from transfer_jax.tools.bench import peers, timing

_DRAWN = 32
_AHEAD = 24

# Reads some number of batches and returns the seconds that it took.
Pass = Callable[[int], float]


def generate(folder: Path, *, size: int, count: int, encoding: str, phantom_name: str) -> Path:
    """Writes a prepared data set of `count` images and returns its folder.

    A few phantoms come under many names; they decode as quickly as different ones.

    Args:
      folder: The folder to write.
      size: Pixels of both sides.
      count: Number of images.
      encoding: Encoding of the images.
      phantom_name: Which phantom: "fundus", "chest" or "texture".
    """
    drawn = [
        item.image
        for item in phantom.items(phantom_name, size=size, counts={"train": _DRAWN}, seed=0)
    ]
    items = [
        Item(f"{i:06d}", f"{i:06d}", {"label": i % 2}, drawn[i % _DRAWN], "train")
        for i in range(count)
    ]
    writer.write(
        folder,
        "bench",
        items,
        Form(size, phantom.channels(phantom_name), encoding=encoding),
        source={},
    )
    return folder


def reading(
    folder: Path | None,
    *,
    size: int,
    count: int,
    encoding: str,
    phantom_name: str,
    batch: int,
    rounds: int,
) -> dict[str, float]:
    """Returns images per second of every contestant, the median over rounds.

    Args:
      folder: A prepared data set; None to generate one.
      size: Pixels of both sides of generated images.
      count: Number of generated images.
      encoding: Encoding of generated images.
      phantom_name: Phantom of generated images.
      batch: Number of images per batch.
      rounds: Number of rounds of all contestants in turn; a round is an epoch.
    """
    with tempfile.TemporaryDirectory() as place:
        prepared = folder or generate(
            Path(place) / "set",
            size=size,
            count=count,
            encoding=encoding,
            phantom_name=phantom_name,
        )
        opened, _ = records.open_splits(prepared, Manifest.read(prepared), ["train"])
        contestants = _contestants(opened, batch)
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        number = len(opened) // batch
        for timed in contestants.values():
            timed(max(1, number // 4))  # fills caches, compiles
        for _ in range(rounds):
            for name, timed in contestants.items():
                seconds[name].append(timed(number))
        return {
            name: number * batch / statistics.median(values) for name, values in seconds.items()
        }


def augmentation(preset: str, batch: int = 32, size: int = 224, repeats: int = 20) -> float:
    """Returns the images per second of a named augmentation, compiled, of images on the device.

    It is the median over batches.

    Args:
      preset: A key of `augment.PRESETS`.
      batch: Number of images.
      size: Pixels of both sides; three channels.
      repeats: Number of batches that are timed.

    Raises:
      ConfigError: The preset is unknown, or a number is below one.
    """
    if min(batch, size, repeats) < 1:
        raise ConfigError(f"batch={batch}, size={size} and repeats={repeats} must be 1 or more")
    how = augment.preset(preset)
    images = jax.random.randint(jax.random.key(0), (batch, size, size, 3), 0, 256).astype(jnp.uint8)
    step = jax.jit(lambda key, x: augment.augment(key, x, how))
    keys = itertools.cycle(jax.random.split(jax.random.key(2), 8))
    return batch / timing.median(lambda: step(next(keys), images), repeats)


def _contestants(opened: Records, batch_size: int) -> dict[str, Pass]:
    targets = Targets(np.zeros((len(opened), 1), np.float32), np.ones((len(opened), 1), np.float32))
    mesh = meshes.create()

    def stream(load: records.Load | None) -> Iterator[pipeline.Batch]:
        order = Order(shuffled(np.arange(len(opened))), len(opened), batch_size, seed=0)
        return pipeline.train_batches(load, targets.columns(), order)

    on_devices = resident.put(opened, mesh)
    gather = jax.jit(lambda pixels, positions: resident.gather(pixels, positions, mesh))
    mapped = opened.mapped()
    contestants = {
        "bare decoder": _bare(opened, batch_size),
        "streamed": _batches(stream(opened)),
        "mapped": _batches(stream(mapped)),
        "resident": _batches(
            gather(on_devices, meshes.put_whole(mesh, batch["positions"])) for batch in stream(None)
        ),
    }
    if importlib.util.find_spec("tensorflow"):
        files = [
            str(opened.folder / shard["file"])
            for content in opened.manifest.splits.values()
            for shard in content["shards"]
        ]
        contestants["tf.data"] = _batches(
            peers.tf_data(files, opened.manifest.encoding, opened.manifest.shape, batch_size)
        )
    return contestants


def _batches(stream: Iterator[object]) -> Pass:
    """Returns a pass that times a stream once everything that it had read ahead is used up."""

    def timed(number: int) -> float:
        for batch in itertools.islice(stream, _AHEAD):
            jax.block_until_ready(batch)
        start = time.perf_counter()
        for batch in itertools.islice(stream, number):
            last = batch
        jax.block_until_ready(last)
        return time.perf_counter() - start

    return timed


def _bare(opened: Records, batch: int) -> Pass:
    """Returns a pass that times the decoder alone: encoded images are in memory, there are as many
    threads as in the pipeline, and no pixels are kept.
    """
    manifest = opened.manifest
    encoded = [examples.image(opened.source[i])[0] for i in range(len(opened))]
    pool = ThreadPoolExecutor(pipeline.threads())

    def decode(start: int) -> None:
        for data in encoded[start : start + batch]:
            image_codec.decode(data, manifest.encoding, manifest.shape, "a record")

    def timed(number: int) -> float:
        start = time.perf_counter()
        list(pool.map(decode, range(0, number * batch, batch)))
        return time.perf_counter() - start

    return timed
