"""The device mesh of a run: one axis, `data`; batches are split, variables replicated."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from transfer_jax.core.errors import ConfigError


def create(devices: int | None = None) -> Mesh:
    """Returns a mesh of one axis over the first `devices` devices of all processes (default: all).

    Raises:
      ConfigError: There are not so many devices.
    """
    available = jax.devices()
    if devices is not None and not 1 <= devices <= len(available):
        raise ConfigError(
            f"devices={devices}, but this run has {len(available)}: choose 1 to {len(available)},"
            " or leave it unset for all"
        )
    used = available[:devices]
    return jax.make_mesh((len(used),), ("data",), axis_types=(AxisType.Auto,), devices=used)


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of an array that is whole on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batched(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of an array whose leading axis is split over the devices."""
    return NamedSharding(mesh, PartitionSpec("data"))


def check_batch(mesh: Mesh, batch_size: int, where: str) -> None:
    """Raises ConfigError where a batch cannot be split evenly over the mesh."""
    if batch_size % mesh.size:
        raise ConfigError(
            f"{where}={batch_size} does not divide over {mesh.size} devices: choose a multiple of"
            f" {mesh.size}, or set devices"
        )


def put_batch(mesh: Mesh, batch: dict[str, np.ndarray]) -> Any:
    """Sends this process's share of a global batch to its devices.

    Args:
      mesh: The devices.
      batch: Name -> array [b, ...].

    Returns:
      Name -> global array [b * processes, ...], split over the devices.
    """
    sharding = batched(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, value)
        for name, value in batch.items()
    }


def put_whole(mesh: Mesh, value: np.ndarray) -> Any:
    """Sends an array that every process holds to all devices."""
    return jax.make_array_from_process_local_data(replicated(mesh), value, value.shape)
