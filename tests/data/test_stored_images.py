import numpy as np
import pytest

from transfer_jax.core import mesh as meshes
from transfer_jax.core.processes import Share
from transfer_jax.data import stored_images
from transfer_jax.data.prepare import phantom, writer
from transfer_jax.data.prepare.shards import Form
from transfer_jax.data.storage import records
from transfer_jax.data.storage.manifest import Manifest


@pytest.fixture
def opened(tmp_path):
    items = list(phantom.items("chest", size=16, counts={"train": 12}, seed=0))
    writer.write(tmp_path / "chest", "chest", items, Form(16, 1, encoding="png"), source={})
    return records.open_splits(tmp_path / "chest", Manifest.read(tmp_path / "chest"), ["train"])[0]


def test_every_image_is_shown_once_and_what_fills_up_does_not_count(opened):
    given = stored_images.StoredImages(opened, np.arange(11), meshes.create(2), per_device=3)
    for _ in range(2):
        images, counted = (
            np.concatenate([np.asarray(part) for part in parts])
            for parts in zip(*given, strict=True)
        )
        np.testing.assert_array_equal(images[counted > 0], opened(np.arange(11)))


def test_a_process_decodes_its_own_part_of_every_batch(opened, monkeypatch):
    asked = []

    class Watched(stored_images.pipeline.EvalBatches):
        def __init__(self, *args, share, **options):
            asked.append(share)
            super().__init__(*args, share=share, **options)

    monkeypatch.setattr(stored_images.pipeline, "EvalBatches", Watched)
    monkeypatch.setattr(stored_images.processes, "share", lambda: Share(1, 2))
    stored_images.StoredImages(opened, np.arange(12), meshes.create(2), per_device=3)
    assert asked == [Share(1, 2)]


def test_few_of_many_are_evenly_spread():
    np.testing.assert_array_equal(stored_images.spread(np.arange(10, 21), 3), [10, 15, 20])
    np.testing.assert_array_equal(stored_images.spread(np.arange(5), 9), np.arange(5))
