"""Where the pixels lie: in records, in a file of decoded pixels, or on the devices.

- "streamed": records are decoded for every batch. Any size, constant memory; as fast as
  the decoder.
- "mapped": decoded once into a file that is mapped into memory; a batch is a gather. As fast as
  memory while the file fits into it.
- "resident": decoded once into the devices' memory; a batch is a gather there.

All three give the same batches, bit for bit, and resume each other's runs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import jax
from jax.sharding import Mesh

AUTO = "auto"
MODES = ("streamed", "mapped", "resident")
# Shares that a data set may take: of the free memory of a device, of the free memory of the host,
# of the free disk.
_OF_DEVICE, _OF_HOST, _OF_DISK = 0.3, 0.5, 0.5


def choose(
    decoded: int, images: int, *, reads: int, device: int, host: int, disk: int | None
) -> str:
    """Returns the mode for a data set.

    Args:
      decoded: Bytes of all its images, decoded.
      images: Number of its images.
      reads: Number of images that a training reads in all; for less than two epochs it does not
        pay to decode everything first.
      device: Free bytes on all devices together.
      host: Free bytes of the host's memory.
      disk: Free bytes of the folder's disk; None where the file of decoded pixels exists already
        and needs none.
    """
    if reads < 2 * images:
        return "streamed"
    if decoded <= _OF_DEVICE * device:
        return "resident"
    if decoded <= _OF_HOST * host and (disk is None or decoded <= _OF_DISK * disk):
        return "mapped"
    return "streamed"


def free_on_devices(mesh: Mesh) -> int:
    """Returns the free bytes on all devices of the mesh; devices of a CPU share its memory."""
    local = [device for device in mesh.devices.flat if device.process_index == jax.process_index()]
    stats = [device.memory_stats() for device in local]
    if any(memory is None or "bytes_limit" not in memory for memory in stats):
        return free_on_host()
    least = min(memory["bytes_limit"] - memory["bytes_in_use"] for memory in stats if memory)
    return least * mesh.size


def free_on_host() -> int:
    """Returns the bytes of memory that programs can still get."""
    try:
        with open("/proc/meminfo") as file:
            return next(
                int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable")
            )
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def free_on_disk(folder: Path) -> int:
    """Returns the bytes that can be written to the folder's disk; none where it is read-only."""
    return shutil.disk_usage(folder).free if os.access(folder, os.W_OK) else 0
