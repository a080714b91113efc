"""The machine, and the few things that must differ with it."""

import ctypes
import importlib.metadata
import os
import platform as host
import sys

import jax

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h


def on_cpu() -> bool:
    """Returns whether computations are traced for a CPU.

    Decides between equal formulas of different speed (see models).
    """
    return jax.default_backend() == "cpu"


def keep_large_buffers() -> None:
    """Tells glibc to keep freed buffers of up to 1 GiB instead of returning them to the kernel.

    XLA on a CPU allocates its temporary buffer anew for every call, and the kernel zeroes every
    fresh page: 10-15 % of a small network's training step (BUILD_NOTES.md). Does nothing without
    Linux and glibc, and is harmless on accelerators.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)  # only the main arena keeps what is larger than 64 MiB
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(
                line.split(":")[1].strip() for line in file if line.startswith("model name")
            )
    except (OSError, StopIteration):
        return host.processor() or host.machine()


def describe() -> dict[str, str]:
    """Returns hardware and versions of this run, for its report."""
    devices = jax.devices()
    kind = (
        devices[0].device_kind
        if jax.default_backend() != "cpu"
        else f"{_processor()}, {os.cpu_count()} cores"
    )
    versions = {name: importlib.metadata.version(name) for name in ("jax", "flax", "optax")}
    return {
        "hardware": f"{len(devices)} x {kind}" if len(devices) > 1 else kind,
        "python": host.python_version(),
        **versions,
    }
