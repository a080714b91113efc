import numpy as np
import pytest

from transfer_jax.data import task
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest

COUNTS = {"train": 50, "val": 21}


@pytest.fixture(scope="session")
def fundus(tmp_path_factory):
    """The folder of a small prepared set, and its items."""
    out = tmp_path_factory.mktemp("data") / "fundus"
    items = list(phantom.items("fundus", size=32, counts=COUNTS, seed=0))
    writer.write(out, "fundus", items, Form(32, 3, encoding="png"), source={})
    return out, items


@pytest.fixture(scope="session")
def opened(fundus):
    """Its records, the positions of its splits, and the targets of a task."""
    manifest = Manifest.read(fundus[0])
    found, positions = records.open_splits(fundus[0], manifest, ["train", "val"])
    goal = task.make("fundus", manifest.values(), "binary", ("dots",), 3)
    return found, positions, goal.targets(found.rows.labels, training=True)


@pytest.fixture(scope="session")
def pixels(fundus):
    """All its images."""
    return np.stack([item.image() for item in fundus[1]])
