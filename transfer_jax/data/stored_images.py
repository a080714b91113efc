"""Stored images without labels, batch by batch on the devices: what trained networks look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int

from transfer_jax.core import mesh as meshes
from transfer_jax.core import processes
from transfer_jax.data import pipeline
from transfer_jax.data.storage.records import Records


class StoredImages:
    """Some images of a data set, in order; iterate as often as needed.

    Yields (images [b, h, w, 1 or 3] uint8, counted [b]); `counted` is 0 for images that only fill
    up the last batch.

    Attributes:
      positions: Positions of the images, [n].
    """

    def __init__(
        self, records: Records, positions: Int[np.ndarray, " n"], mesh: Mesh, *, per_device: int
    ) -> None:
        """Prepares the batches; nothing is read yet. Few images stay in memory once they are read.

        Args:
          records: The data set.
          positions: Positions of the images, [n].
          mesh: The devices.
          per_device: Largest number of images per device and batch.
        """
        self.positions = positions
        # As many batches as are needed, of as few images as that takes.
        batches = -(-len(positions) // (per_device * mesh.size))
        batch_size = -(-len(positions) // (batches * mesh.size)) * mesh.size
        self._mesh = mesh
        self._batches = pipeline.EvalBatches(
            records,
            {"weights": np.ones(len(records), np.float32)},
            positions,
            batch_size=batch_size,
            share=processes.share(),
            keep=pipeline.few(len(positions), records.manifest.image_bytes),
        )

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.positions)

    def __iter__(self) -> Iterator[tuple[Any, jax.Array]]:
        """Yields batches of one shape."""
        for batch in self._batches:
            sent = meshes.put_batch(
                self._mesh, {name: batch[name] for name in ("images", "weights")}
            )
            yield sent["images"], sent["weights"]


def spread(positions: Int[np.ndarray, " n"], most: int) -> Int[np.ndarray, " k"]:
    """Returns at most `most` of the positions, evenly spread over all of them."""
    if len(positions) <= most:
        return positions
    return positions[np.linspace(0, len(positions) - 1, most).round().astype(int)]
