"""Time of canonical correlations, beside NumPy and beside the least that they could take.

    python -m transfer_jax.tools.bench cca

NumPy's way is the algorithm of google/svcca: the covariance of all rows at once in float64, a
pseudo-inverse and a square root of each side by factorisations of their own, then a singular value
decomposition. The floor is the arithmetic of the three Gram matrices at the rate of this machine's
matrix product in float32, and the factorisations that cannot be left out: of each side, and of
their product.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from transfer_jax.analysis import cca
from transfer_jax.core.errors import UserError
from transfer_jax.tools.bench import timing

SIZES = ((10_000, 64), (12_544, 256), (100_000, 512), (100_000, 2_048))
_RATE_SIDE = 2048
_CHUNK = 1000  # rows of one update where memory is measured


@dataclasses.dataclass(frozen=True)
class Row:
    """Seconds of one size (medians), and the largest difference of a coefficient from NumPy's.

    Attributes:
      n: Number of positions.
      d: Number of channels of both sides.
      numpy: Seconds of google/svcca's algorithm.
      host: Seconds of `cca.similarity`: products in float32 on the device, the rest in float64 on
        the host.
      device: Seconds of the same, all on the device in float32.
      floor: See the module.
      host_error: Largest difference of `host`.
      device_error: Largest difference of `device`.
    """

    n: int
    d: int
    numpy: float
    host: float
    device: float
    floor: float
    host_error: float
    device_error: float


def with_numpy(
    x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]
) -> Float[np.ndarray, " k"]:
    """Returns canonical correlations [min(d1, d2)] as google/svcca computes them, at epsilon 0."""
    d = x.shape[1]
    whole = np.cov(x, y, rowvar=False)
    xx, yy, xy = whole[:d, :d], whole[d:, d:], whole[:d, d:]
    largest = np.abs(xx).max(), np.abs(yy).max()

    def whitener(covariance: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(np.linalg.pinv(covariance))
        return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T

    left, right = whitener(xx / largest[0]), whitener(yy / largest[1])
    return np.linalg.svd(left @ (xy / np.sqrt(largest[0] * largest[1])) @ right)[1]


def matmul_rate(repeats: int = 3) -> float:
    """Returns float32 operations per second of a large matrix product at highest precision."""
    a = jnp.ones((_RATE_SIDE, _RATE_SIDE), jnp.float32)
    product = jax.jit(lambda z: jnp.matmul(z, z, precision=jax.lax.Precision.HIGHEST))
    return 2 * _RATE_SIDE**3 / timing.median(lambda: product(a), repeats)


class Meeting(NamedTuple):
    """Activations that meet at the same positions.

    Attributes:
      n: Number of positions.
      sides: Number of channels of every side.
      pairs: Numbers of channels of the two sides of every pair.
    """

    n: int
    sides: Sequence[int]
    pairs: Sequence[tuple[int, ...]]


def floor(meetings: Iterable[Meeting], rate: float, repeats: int = 3) -> float:
    """Returns seconds that no implementation of this route goes below.

    They are those of the Gram matrices (half of a side's, which is symmetric), of the eigenvalues
    of every side, and of the singular values of every pair.

    Args:
      meetings: The activations.
      rate: Operations per second of a matrix product, see `matmul_rate`.
      repeats: Number of runs measured.
    """

    @functools.cache
    def eigh(d: int) -> float:
        square = np.random.default_rng(0).standard_normal((d, d))
        covariance = square @ square.T
        return timing.median(lambda: np.linalg.eigh(covariance), repeats)

    @functools.cache
    def svd(*shape: int) -> float:
        product = np.random.default_rng(0).standard_normal(shape)
        return timing.median(lambda: np.linalg.svd(product, compute_uv=False), repeats)

    total = 0.0
    for n, sides, pairs in meetings:
        total += n * (sum(d * d for d in sides) + sum(2 * d1 * d2 for d1, d2 in pairs)) / rate
        total += sum(eigh(d) for d in sides) + sum(svd(*sorted(shape)) for shape in pairs)
    return total


def data(n: int, d: int) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n d"]]:
    """Returns two float32 activations [n, d] that share an eighth of their dimensions, after a
    ReLU.
    """
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((n, d // 8), np.float32)
    x, y = (
        np.maximum(
            shared @ rng.standard_normal((d // 8, d), np.float32)
            + rng.standard_normal((n, d), np.float32),
            0,
        )
        for _ in range(2)
    )
    return x, y


def _row(n: int, d: int, rate: float, repeats: int) -> Row:
    x, y = data(n, d)
    wide = x.astype(np.float64), y.astype(np.float64)
    on_device = jnp.asarray(x), jnp.asarray(y)

    def ours(device: bool) -> np.ndarray:
        return cca.similarity(*on_device, device=device).coefficients

    expected = with_numpy(*wide)
    errors = [float(np.abs(ours(device) - expected).max()) for device in (False, True)]
    plain = timing.median(lambda: with_numpy(*wide), repeats, warm_up=0)
    host, device = (
        timing.median(functools.partial(ours, device), repeats, warm_up=0)
        for device in (False, True)
    )
    return Row(
        n,
        d,
        plain,
        host,
        device,
        floor([Meeting(n, [d, d], [(d, d)])], rate, repeats),
        errors[0],
        errors[1],
    )


def measure(sizes: Iterable[tuple[int, int]] = SIZES, repeats: int = 3) -> list[Row]:
    """Returns one row per (n, d)."""
    rate, rows = matmul_rate(repeats), []
    for n, d in sizes:
        rows.append(_row(n, d, rate, repeats))
    return rows


def table(sizes: Iterable[tuple[int, int]] = SIZES, repeats: int = 3) -> str:
    """Returns the results of `measure` as a Markdown table."""
    names = (
        "n",
        "d",
        "NumPy",
        "here",
        "all on the device",
        "floor",
        "NumPy / here",
        "here / floor",
        "largest error",
        "on the device",
    )
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for row in measure(sizes, repeats):
        times = " | ".join(
            f"{value:.3f} s" for value in (row.numpy, row.host, row.device, row.floor)
        )
        ratios = f"{row.numpy / row.host:.1f} | {row.host / row.floor:.1f}"
        lines.append(
            f"| {row.n:,} | {row.d:,} | {times} | {ratios} | {row.host_error:.0e} |"
            f" {row.device_error:.0e} |"
        )
    return "\n".join(lines)


def peak(n: int, d: int) -> int:
    """Returns the bytes by which this process's largest resident memory grows while n positions of
    d channels are compared, chunk by chunk.

    Call it once, in a process of its own.

    Raises:
      UserError: The system does not tell (it is not Linux).
    """
    rng, state = np.random.default_rng(0), cca.moments(d, d)
    before = _largest_resident()
    for start in range(0, n, _CHUNK):
        x, y = (rng.standard_normal((min(_CHUNK, n - start), d), np.float32) for _ in range(2))
        state = jax.block_until_ready(cca.update(state, x, y))
    cca.finish(state)
    return _largest_resident() - before


def _largest_resident() -> int:
    status = Path("/proc/self/status")
    match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    if match is None:
        raise UserError(
            "this system does not tell the peak memory of a process: leave it out with"
            " --memory=none"
        )
    return 1024 * int(match[1])


def measure_peaks(n: int, d: int) -> tuple[int, int]:
    """Returns `peak` of n and of 10 n positions, each in a process of its own."""

    def one(rows: int) -> int:
        line, error = timing.in_own_process("cca", f"--peak={rows}x{d}")
        if error:
            raise UserError(f"the memory of {rows}x{d} could not be measured: {error}")
        return int(line)

    return one(n), one(10 * n)


def peaks(n: int, d: int) -> str:
    """Returns the results of `measure_peaks` as a line of text."""
    shown = [
        f"{peak / 1e6:.0f} MB for {rows:,} positions (two activations of {4e-6 * rows * d:,.0f} MB)"
        for rows, peak in zip((n, 10 * n), measure_peaks(n, d), strict=True)
    ]
    return f"peak memory, {d} channels: {', '.join(shown)}"
