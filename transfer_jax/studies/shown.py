"""Images shown to trained networks: as they are stored, batch by batch on the devices, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int

from transfer_jax.core import mesh as meshes
from transfer_jax.data import pipeline
from transfer_jax.data.records import Records
from transfer_jax.data.task import Targets
from transfer_jax.studies.feed import own_share


class Shown:
    """Some images of a data set, in order; iterate as often as needed.

    Gives (images [b, h, w, 1 or 3] uint8, counted [b]: 0 for images that only fill up the last batch).
    """

    def __init__(self, records: Records, positions: Int[np.ndarray, " n"], mesh: Mesh, *, per_device: int) -> None:
        """The images at `positions`, at most `per_device` of them at once on a device; they stay decoded in memory where they are few."""
        self.positions = positions
        batches = -(-len(positions) // (per_device * mesh.size))  # as many as are needed, of as few images as that takes
        batch_size = -(-len(positions) // (batches * mesh.size)) * mesh.size
        every = Targets(*(np.ones((len(records), 1), np.float32) for _ in range(2)))
        keep = pipeline.few(len(positions), records.manifest.image_bytes)
        self._mesh = mesh
        self._batches = pipeline.EvalBatches(records, every, positions, batch_size=batch_size, share=own_share(), keep=keep)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.positions)

    def __iter__(self) -> Iterator[tuple[Any, jax.Array]]:
        """Batches of one shape."""
        for batch in self._batches:
            given = meshes.put_batch(self._mesh, {"image": batch["image"], "counted": batch["weights"][:, 0]})
            yield given["image"], given["counted"]


def spread(positions: Int[np.ndarray, " n"], most: int) -> Int[np.ndarray, " k"]:
    """At most so many of the positions, evenly spread over all of them."""
    return positions if len(positions) <= most else positions[np.linspace(0, len(positions) - 1, most).round().astype(int)]
