"""How many images a second each mode of reading gives, beside the bare decoder and tf.data, on the same files in one run."""

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
import numpy as np

from transfer_jax.core import mesh as meshes
from transfer_jax.data import examples, images, phantom, pipeline, records, resident, spec, writer
from transfer_jax.data.items import Item
from transfer_jax.data.order import Order, shuffled
from transfer_jax.data.records import Records
from transfer_jax.data.shards import Form
from transfer_jax.data.task import Targets
from transfer_jax.tools import peers

_DRAWN = 32
_AHEAD = 24

# A function that starts a pass and gives the seconds it took for so many batches.
Pass = Callable[[int], float]


def generate(folder: Path, *, size: int, count: int, encoding: str, phantom_name: str) -> Path:
    """A prepared data set of `count` images: a few phantoms under many names, which decode as quickly as so many different ones."""
    drawn = [item.image for item in phantom.items(phantom_name, size=size, counts={"train": _DRAWN}, seed=0)]
    items = [Item(f"{i:06d}", f"{i:06d}", {"label": i % 2}, drawn[i % _DRAWN], "train") for i in range(count)]
    writer.write(folder, "bench", items, Form(size, phantom.channels(phantom_name), encoding=encoding), source={})
    return folder


def measure(folder: Path | None, *, size: int, count: int, encoding: str, phantom_name: str, batch: int, rounds: int) -> dict[str, float]:
    """Images a second of every contestant, the median over rounds.

    Args:
      folder: a prepared data set; None to generate one.
      size: of generated images, pixels.
      count: of generated images.
      encoding: of generated images.
      phantom_name: of generated images.
      batch: images in a batch.
      rounds: of all contestants in turn; a round is an epoch.
    """
    with tempfile.TemporaryDirectory() as place:
        made = folder or generate(Path(place) / "set", size=size, count=count, encoding=encoding, phantom_name=phantom_name)
        opened, _ = records.open_splits(made, spec.Manifest.read(made), ["train"])
        contestants = _contestants(opened, batch)
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        number = len(opened) // batch
        for timed in contestants.values():
            timed(max(1, number // 4))  # fills caches, compiles
        for _ in range(rounds):
            for name, timed in contestants.items():
                seconds[name].append(timed(number))
        return {name: number * batch / statistics.median(values) for name, values in seconds.items()}


def _contestants(opened: Records, batch: int) -> dict[str, Pass]:
    targets = Targets(np.zeros((len(opened), 1), np.float32), np.ones((len(opened), 1), np.float32))
    mesh = meshes.create()

    def stream(load: records.Load | None) -> Iterator[pipeline.Batch]:
        order = Order(shuffled(np.arange(len(opened))), len(opened), batch, seed=0)
        return pipeline.train_batches(load, targets, order)

    on_devices = resident.put(opened, mesh)
    gather = jax.jit(lambda pixels, positions: resident.gather(pixels, positions, mesh))
    mapped = opened.mapped()
    contestants = {
        "bare decoder": _bare(opened, batch),
        "streamed": _batches(stream(opened)),
        "mapped": _batches(stream(mapped)),
        "resident": _batches(gather(on_devices, meshes.put_whole(mesh, found["position"])) for found in stream(None)),
    }
    if importlib.util.find_spec("tensorflow"):
        files = [str(opened.folder / shard["file"]) for content in opened.manifest.splits.values() for shard in content["shards"]]
        contestants["tf.data"] = _batches(peers.tf_data(files, opened.manifest.encoding, opened.manifest.shape, batch))
    return contestants


def _batches(stream: Iterator[object]) -> Pass:
    """Times a stream once what it had read ahead is used up."""

    def timed(number: int) -> float:
        for found in itertools.islice(stream, _AHEAD):
            jax.block_until_ready(found)
        start = time.perf_counter()
        for found in itertools.islice(stream, number):
            last = found
        jax.block_until_ready(last)
        return time.perf_counter() - start

    return timed


def _bare(opened: Records, batch: int) -> Pass:
    """The decoder alone: encoded images in memory, as many threads as the pipeline has, nothing kept."""
    manifest = opened.manifest
    encoded = [examples.image(opened.source[i])[0] for i in range(len(opened))]
    pool = ThreadPoolExecutor(pipeline.threads())

    def decode(start: int) -> None:
        for data in encoded[start : start + batch]:
            images.decode(data, manifest.encoding, manifest.shape, "a record")

    def timed(number: int) -> float:
        start = time.perf_counter()
        list(pool.map(decode, range(0, number * batch, batch)))
        return time.perf_counter() - start

    return timed
