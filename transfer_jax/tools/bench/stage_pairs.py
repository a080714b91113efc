"""Time of all pairs of stages of two networks, beside NumPy comparing pair by pair, as a user of
google/svcca does.

    python -m transfer_jax.tools.bench cca --stages=resnet50 --images=50

For every pair NumPy averages the larger of the two grids, folds positions into rows, and starts
anew: with five stages 25 covariances of both sides, and 25 times their factorisations. Here a
stage's covariance is summed once per grid on which it meets another, and factorised once.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from transfer_jax.analysis import cca, stage_moments
from transfer_jax.analysis.moments import Pair
from transfer_jax.tools.bench import cca_speed, timing

Stages = Mapping[str, tuple[int, int]]
"""Positions of a side, and channels, by stage; a smaller side divides a larger one."""
STAGES: Mapping[str, Stages] = {
    "resnet50": {
        "conv1": (112, 64),
        "block1": (56, 256),
        "block2": (28, 512),
        "block3": (14, 1024),
        "block4": (7, 2048),
    }  # at 224 px
}
Activations = dict[str, Float[np.ndarray, "b h w c"]]


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds (medians; one run of NumPy's), and largest differences from NumPy's coefficients.

    Attributes:
      pairs: Number of pairs of stages.
      update: Seconds of the moments of all pairs and images, of activations on the device.
      finish: Seconds from moments to coefficients, in float64 on the host.
      device: Seconds of the same in float32 on the device.
      numpy: Seconds of all pairs from activations to coefficients.
      floor: See `cca_speed`.
      host_error: Largest difference of `finish`.
      device_error: Largest difference of `device`.
    """

    pairs: int
    update: float
    finish: float
    device: float
    numpy: float
    floor: float
    host_error: float
    device_error: float


def data(stages: Stages, images: int) -> tuple[Activations, Activations]:
    """Returns two networks' float32 activations that have half of their variance in common, after a
    ReLU.
    """
    rng = np.random.default_rng(0)
    xs, ys = {}, {}
    for name, (side, channels) in stages.items():
        shape = (images, side, side, channels)
        shared = rng.standard_normal(shape, np.float32)
        xs[name], ys[name] = (
            np.maximum(shared + rng.standard_normal(shape, np.float32), 0) for _ in range(2)
        )
    return xs, ys


def with_numpy(xs: Activations, ys: Activations) -> dict[Pair, Float[np.ndarray, " k"]]:
    """Returns canonical correlations of every pair of stages as a user of google/svcca computes
    them.
    """

    def rows(x: np.ndarray, side: int) -> np.ndarray:
        b, large, _, c = x.shape
        window = large // side
        return x.reshape(b, side, window, side, window, c).mean((2, 4)).reshape(-1, c)

    return {
        (a, b): cca_speed.with_numpy(*(rows(z, min(x.shape[1], y.shape[1])) for z in (x, y)))
        for a, x in xs.items()
        for b, y in ys.items()
    }


def measure(stages: Stages, images: int = 50, batch: int = 10, repeats: int = 3) -> Times:
    """Measures the times of one table of stages.

    Args:
      stages: Stages of both networks.
      images: Number of images in all; the smallest grid needs more positions than the widest stage
        has channels.
      batch: Number of images per update.
      repeats: Number of runs measured.

    Raises:
      AnalysisError: There are too few images.
    """
    xs, ys = data(stages, images)

    def part(of: Activations, start: int) -> dict[str, Any]:
        return {name: jnp.asarray(x[start : start + batch]) for name, x in of.items()}

    batches = [(part(xs, start), part(ys, start)) for start in range(0, images, batch)]

    def updated() -> stage_moments.StageMoments:
        state = stage_moments.empty(*batches[0])
        for one, other in batches:
            state = stage_moments.update(state, one, other)
        return state

    def finished(device: bool) -> dict[Pair, Any]:
        return {
            pair: one.coefficients for pair, one in cca.finish_stages(state, device=device).items()
        }

    state = updated()
    # Compiles, and raises an error where there are too few images.
    results = [finished(device) for device in (False, True)]
    update = timing.median(updated, repeats, warm_up=0)
    finish, device = (
        timing.median(functools.partial(finished, device), repeats, warm_up=0)
        for device in (False, True)
    )
    kept: list[dict[Pair, Any]] = []
    plain = timing.median(lambda: kept.append(with_numpy(xs, ys)), 1, warm_up=0)
    errors = [
        max(float(np.abs(one[pair] - values).max()) for pair, values in kept[0].items())
        for one in results
    ]
    meetings = [
        cca_speed.Meeting(
            of.positions(),
            [len(stage.mean.high) for side in (of.x, of.y) for stage in side.values()],
            [c.high.shape for c in of.cross.values()],
        )
        for of in state.values()
    ]
    floor = cca_speed.floor(meetings, cca_speed.matmul_rate(repeats), repeats)
    return Times(len(results[0]), update, finish, device, plain, floor, errors[0], errors[1])


def table(name: str, stages: Stages, images: int = 50, batch: int = 10, repeats: int = 3) -> str:
    """Returns the result of `measure` as a Markdown table of one row."""
    of = measure(stages, images, batch, repeats)
    here, there = of.update + of.finish, of.update + of.device
    columns = {
        "stages": f"{name}, {of.pairs} pairs, {images} images",
        "NumPy": f"{of.numpy:.2f} s",
        "update": f"{of.update:.2f} s",
        "finish": f"{of.finish:.2f} s",
        "finish on the device": f"{of.device:.2f} s",
        "floor": f"{of.floor:.2f} s",
        "NumPy / here": f"{of.numpy / here:.1f}",
        "NumPy / on the device": f"{of.numpy / there:.1f}",
        "here / floor": f"{here / of.floor:.1f}",
        "largest error": f"{of.host_error:.0e}",
        "on the device": f"{of.device_error:.0e}",
    }
    return "\n".join(
        (
            f"| {' | '.join(columns)} |",
            "|" + "---|" * len(columns),
            f"| {' | '.join(columns.values())} |",
        )
    )
