"""Keeps a whole data set as uint8 in the memory of the devices, where batches are gathered.

No image crosses the bus a second time.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Int, UInt8

from transfer_jax.core import mesh as meshes
from transfer_jax.data.storage.records import Records


def put(records: Records, mesh: Mesh) -> UInt8[Array, "n h w c"]:
    """Puts all images on the mesh, split over its devices.

    Black images fill them up to a multiple of the number of devices. Every process
    decodes what its own devices hold, device by device, so that the host needs the memory of one
    device's part.

    Raises:
      DataError: A record is damaged.
    """
    shape = (-(-len(records) // mesh.size) * mesh.size, *records.manifest.shape)

    def part(index: tuple[slice, ...] | None) -> np.ndarray:
        start, stop, _ = index[0].indices(shape[0]) if index else (0, shape[0], 1)
        pixels = np.zeros((stop - start, *shape[1:]), np.uint8)
        records.decode_into(pixels[: max(0, len(records) - start)], first=start)
        return pixels

    return jax.make_array_from_callback(shape, meshes.batched(mesh), part)


def gather(
    images: UInt8[Array, "n h w c"], positions: Int[Array, " b"], mesh: Mesh
) -> UInt8[Array, "b h w c"]:
    """Returns the images at some positions, split over the devices like a batch.

    Every device looks up what it holds and gives zeros for the rest; the sum over devices, of
    which each keeps its part of the batch, is exact, since only one of its terms is not zero.

    Args:
      images: Images from `put`.
      positions: Positions, int32, on every device.
      mesh: The devices.
    """
    held = images.shape[0] // mesh.size

    @functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(PartitionSpec("data"), PartitionSpec()),
        out_specs=PartitionSpec("data"),
        check_vma=False,
    )
    def local(part: Array, positions: Array) -> Array:
        place = positions - jax.lax.axis_index("data") * held
        # A slice per image, which keeps to the array's bounds by itself, is copied as a block; on
        # a CPU four times as fast as part[place].
        rows = jax.vmap(lambda row: jax.lax.dynamic_index_in_dim(part, row, keepdims=False))(place)
        if mesh.size == 1:
            return rows
        here = (place >= 0) & (place < held)
        return jax.lax.psum_scatter(
            jnp.where(here[:, None, None, None], rows, 0), "data", scatter_dimension=0, tiled=True
        )

    return local(images, positions)
