"""Items and forms of small data sets, for tests of the writer."""

import numpy as np

from transfer_jax.data.items import Item
from transfer_jax.data.prepare import shard_plan
from transfer_jax.data.prepare.shards import Form

FORM = Form(32, 1, encoding="png")
NOTHING = {"source": {}}


def item(number, **changes):
    pixels = np.full((32, 32), number % 256, np.uint8)
    base = {
        "id": f"i{number}",
        "patient": f"p{number}",
        "labels": {"a": number % 2},
        "image": lambda: pixels,
        "split": "train",
    }
    return Item(**base | changes)


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def small_shards(monkeypatch, images=7):
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", int(images * 32 * 32 * 0.6) + 1)
