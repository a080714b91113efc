"""How long canonical correlations take, beside NumPy and beside the least that they could take.

    python -m transfer_jax.tools.bench cca

NumPy's way is the algorithm of google/svcca: the covariance of all rows at once in float64, a pseudo-inverse and a square root of each side by
their own factorisations, then a singular value decomposition. The floor is the arithmetic of the three Gram matrices at the rate that this
machine's matrix product has in float32, and the factorisations that cannot be left out: of each side, and of their product.
"""

import dataclasses
import time
from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from transfer_jax.analysis import cca, stage_moments
from transfer_jax.tools import timing

SIZES = ((10_000, 64), (12_544, 256), (100_000, 512), (100_000, 2_048))
# A ResNet-50 at 224 px: positions of a side, and channels.
STAGES: Mapping[str, tuple[int, int]] = {"conv1": (112, 64), "block1": (56, 256), "block2": (28, 512), "block3": (14, 1024), "block4": (7, 2048)}
_RATE_SIDE = 2048


@dataclasses.dataclass(frozen=True)
class Row:
    """Seconds of one size (medians), and the largest difference of a coefficient from NumPy's.

    Attributes:
      n: positions.
      d: channels of both sides.
      numpy: google/svcca's algorithm.
      host: `cca.similarity`: products in float32 on the device, the rest in float64 on the host.
      device: the same, all on the device in float32.
      floor: see the module.
      host_error: of host.
      device_error: of device.
    """

    n: int
    d: int
    numpy: float
    host: float
    device: float
    floor: float
    host_error: float
    device_error: float


def with_numpy(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> Float[np.ndarray, " k"]:
    """Canonical correlations [min(d1, d2)] as google/svcca takes them, at epsilon 0."""
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
    """Float32 operations per second of a large matrix product at highest precision."""
    a = jnp.ones((_RATE_SIDE, _RATE_SIDE), jnp.float32)
    product = jax.jit(lambda z: jnp.matmul(z, z, precision=jax.lax.Precision.HIGHEST))
    return 2 * _RATE_SIDE**3 / timing.median(lambda: product(a), repeats)


def floor(n: int, d: int, rate: float, repeats: int = 3) -> float:
    """Seconds that no implementation of this route goes below: Gram matrices (two symmetric, one not), two eigh and the singular values."""
    square = np.random.default_rng(0).standard_normal((d, d))
    covariance = square @ square.T
    factors = 2 * timing.median(lambda: np.linalg.eigh(covariance), repeats) + timing.median(lambda: np.linalg.svd(square, compute_uv=False), repeats)
    return 2 * n * d * d * (0.5 + 0.5 + 1) / rate + factors


def data(n: int, d: int) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n d"]]:
    """Two float32 activations [n, d] which share an eighth of their dimensions, after a ReLU."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((n, d // 8), np.float32)
    x, y = (np.maximum(shared @ rng.standard_normal((d // 8, d), np.float32) + rng.standard_normal((n, d), np.float32), 0) for _ in range(2))
    return x, y


def _row(n: int, d: int, rate: float, repeats: int) -> Row:
    x, y = data(n, d)
    wide = x.astype(np.float64), y.astype(np.float64)
    given = jnp.asarray(x), jnp.asarray(y)

    def ours(device: bool) -> np.ndarray:
        return cca.similarity(*given, device=device).coefficients

    expected = with_numpy(*wide)
    errors = [float(np.abs(ours(device) - expected).max()) for device in (False, True)]
    plain = timing.median(lambda: with_numpy(*wide), repeats, warm_up=0)
    host, device = (timing.median(lambda device=device: ours(device), repeats, warm_up=0) for device in (False, True))  # type: ignore[misc]
    return Row(n, d, plain, host, device, floor(n, d, rate, repeats), errors[0], errors[1])


def measure(sizes: Iterable[tuple[int, int]] = SIZES, repeats: int = 3) -> list[Row]:
    """One row for each (n, d)."""
    rate, rows = matmul_rate(repeats), []
    for n, d in sizes:
        rows.append(_row(n, d, rate, repeats))
    return rows


def measure_stages(stages: Mapping[str, tuple[int, int]] = STAGES, images: int = 50, batch: int = 10) -> dict[str, float]:
    """Seconds of all pairs of stages of two networks: `update` of all images, and `finish` of all pairs; float32 noise as activations.

    Args:
      stages: (positions of a side, channels) by stage.
      images: in all; the smallest grid needs more positions than it meets channels.
      batch: images of one update.
    """
    rng = np.random.default_rng(0)
    xs, ys = ({name: jnp.asarray(rng.standard_normal((batch, side, side, c), np.float32)) for name, (side, c) in stages.items()} for _ in range(2))
    state = jax.block_until_ready(stage_moments.update(stage_moments.empty(xs, ys), xs, ys))
    start = time.perf_counter()
    for _ in range(images // batch):
        state = stage_moments.update(state, xs, ys)
    jax.block_until_ready(state)
    updated = time.perf_counter()
    found = cca.finish_stages(state)
    return {"update": updated - start, "finish": time.perf_counter() - updated, "pairs": float(len(found))}


def table(sizes: Iterable[tuple[int, int]] = SIZES, repeats: int = 3) -> str:
    """`measure` as a Markdown table."""
    lines = ["| n | d | NumPy | here | all on the device | floor | largest error | on the device |", "|" + "---|" * 8]
    for row in measure(sizes, repeats):
        times = " | ".join(f"{value:.3f} s" for value in (row.numpy, row.host, row.device, row.floor))
        lines.append(f"| {row.n:,} | {row.d:,} | {times} | {row.host_error:.0e} | {row.device_error:.0e} |")
    return "\n".join(lines)
