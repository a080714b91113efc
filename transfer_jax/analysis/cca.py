"""Canonical correlations between two activations: linear combinations of channels that both have.

    result = cca.similarity(x, y)                # x [n, d1], y [n, d2]
    state = cca.moments(d1, d2)                  # or batch by batch, in memory independent of n
    state = cca.update(state, x, y)
    result = cca.finish(state)

The products of the channels are summed on the device (see `moments`). What remains is d x d and
runs in float64 on the host, since a float32 eigendecomposition would lose accuracy; `device=True`
keeps it on an accelerator, in the precision of the moments, and fetches only the results. Measured
on a CPU at 12,544 positions of 256 channels with float32 moments, against NumPy in float64: the
largest error of a coefficient is 1e-6, and 2e-6 with `device=True`.

Source: Raghu et al., "SVCCA", NeurIPS 2017, with the behaviour of google/svcca where that is
defined; Raghu et al., "Transfusion", NeurIPS 2019.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from transfer_jax.analysis import activations, batch_moments, whitening
from transfer_jax.analysis import moments as sums
from transfer_jax.analysis.moments import Moments, merge
from transfer_jax.analysis.result import (
    CCA,
    caution,
    check,
    check_positions,
    in_common_units,
    summary,
    whiten,
)
from transfer_jax.analysis.stage_moments import StageMoments
from transfer_jax.core.errors import AnalysisError

__all__ = [
    "CCA",
    "finish",
    "finish_many",
    "finish_stages",
    "merge",
    "moments",
    "moments_of",
    "similarity",
    "update",
]
# Rows [n, d]: real numbers of JAX or NumPy, or nested sequences, see `activations.check`.
Rows = Any
Names = Mapping[sums.Pair, tuple[str, str]]
_NAMES = ("x", "y")
_CHUNK = 16384  # rows of one update in `similarity`: bounds its memory


def moments(d1: int, d2: int, mesh: Mesh | None = None) -> Moments:
    """Returns moments of no positions yet.

    Args:
      d1: Number of channels of the first side.
      d2: Number of channels of the second side.
      mesh: The mesh over which the rows will be split, if any.

    Raises:
      AnalysisError: A side has no channels.
    """
    return sums.empty({"x": d1}, {"y": d2}, mesh=mesh)


def update(state: Moments, x: Rows, y: Rows) -> Moments:
    """Adds positions: row i of x [n, d1] and of y [n, d2] is the same position of the same image.

    Raises:
      AnalysisError: The activations are not rows of real numbers, their numbers of rows differ, or
        their numbers of channels are not those of the state.
    """
    return batch_moments.update(state, {"x": x}, {"y": y})


def moments_of(x: Rows, y: Rows, *, names: tuple[str, str] = _NAMES) -> Moments:
    """Returns the moments of all positions of two activations.

    Args:
      x: [n, d1] the first activation.
      y: [n, d2] the second activation at the same positions.
      names: Names of the sides, for messages.

    Raises:
      AnalysisError: The activations are not rows of real numbers, their numbers of rows differ, or
        these are too few for canonical correlations: at once, before anything is computed.
    """
    x, y = activations.check_pair(x, y, names)
    check_positions(x.shape[0], x.shape[1], y.shape[1], names, activations.transposed(names))
    state = moments(x.shape[1], y.shape[1])
    for start in range(0, x.shape[0], _CHUNK):
        state = update(state, x[start : start + _CHUNK], y[start : start + _CHUNK])
    return state


def similarity(
    x: Rows,
    y: Rows,
    epsilon: float = 0.0,
    threshold: float = 0.98,
    *,
    names: tuple[str, str] = _NAMES,
    rcond: float | None = None,
    device: bool = False,
) -> CCA:
    """Computes the canonical correlations of x [n, d1] and y [n, d2], n > max(d1, d2).

    Arguments and errors are those of `moments_of` and `finish`.
    """
    _check_options(epsilon, threshold)
    return finish(
        moments_of(x, y, names=names), epsilon, threshold, names=names, rcond=rcond, device=device
    )


def _check_options(epsilon: float, threshold: float) -> None:
    if not epsilon >= 0 or not 0 < threshold <= 1:
        raise AnalysisError(
            f"epsilon={epsilon}, threshold={threshold}: epsilon is at least 0, threshold in (0, 1]"
        )


def finish(
    state: Moments,
    epsilon: float = 0.0,
    threshold: float = 0.98,
    *,
    names: tuple[str, str] = _NAMES,
    rcond: float | None = None,
    device: bool = False,
) -> CCA:
    """Computes the canonical correlations of all positions so far, of a state of one pair.

    Args:
      state: A state from `moments` and `update`.
      epsilon: >= 0, google/svcca's: relative to each side's largest variance, channels of less
        variance are dropped, and it is added to the others'. It lowers the coefficients of
        unevenly scaled channels; nothing here needs it.
      threshold: In (0, 1], for `mean_trimmed`.
      names: Names of the sides, for messages.
      rcond: Share of the largest eigenvalue of a side's correlation matrix below which others count
        as zero; `result.default_rcond` where None.
      device: Whether the d x d part stays on the device, too.

    Raises:
      AnalysisError: A side holds NaN or infinity (it is named), n <= max(d1, d2), or epsilon or
        threshold is out of its range.
    """
    (pair,) = state.cross
    return finish_many(
        [state], epsilon, threshold, names={pair: names}, rcond=rcond, device=device
    )[0][pair]


def finish_stages(
    state: StageMoments,
    epsilon: float = 0.0,
    threshold: float = 0.98,
    *,
    names: Names | None = None,
    rcond: float | None = None,
    device: bool = False,
) -> dict[sums.Pair, CCA]:
    """Computes the canonical correlations of every pair of stages.

    A stage is whitened once for each grid; arguments and errors are those of `finish_many`.
    """
    comparisons = finish_many(
        state.values(), epsilon, threshold, names=names, rcond=rcond, device=device
    )
    return {pair: of for of_grid in comparisons for pair, of in of_grid.items()}


def finish_many(
    states: Iterable[Moments],
    epsilon: float = 0.0,
    threshold: float = 0.98,
    *,
    names: Names | None = None,
    rcond: float | None = None,
    device: bool = False,
) -> list[dict[sums.Pair, CCA]]:
    """Computes the canonical correlations of every pair of every state.

    The device is waited for twice: for the checks, and for all results.

    Args:
      states: Moments, each of any number of pairs.
      epsilon: See `finish`.
      threshold: See `finish`.
      names: Names of the sides of a pair, for messages; those of its stages where None.
      rcond: See `finish`.
      device: See `finish`.

    Returns:
      One mapping from pairs to results per state. Results that are unreliable also give a warning
      (`CCA.caution`).

    Raises:
      AnalysisError: See `finish`.
    """
    _check_options(epsilon, threshold)
    states = check(states, names)
    states = states if device else [in_common_units(state) for state in jax.device_get(states)]
    values = []
    for of in states:
        x, y = (
            {
                name: whiten(of, activation, epsilon, rcond, device)
                for name, activation in side.items()
            }
            for side in (of.x, of.y)
        )
        for (a, b), total in of.cross.items():
            found = (
                whitening.coefficients_on_device(x[a], y[b], total.high)
                if device
                else whitening.coefficients(np, x[a], y[b], total.value())
            )
            values.append((found, (x[a].rank, y[b].rank), (x[a].lost, y[b].lost)))
    fetched = iter(jax.device_get(values))

    def result(of: Moments, pair: sums.Pair) -> CCA:
        coefficients, ranks, lost = next(fetched)
        return caution(
            summary(of, coefficients, ranks, lost, threshold), (names or {}).get(pair, pair)
        )

    return [{pair: result(of, pair) for pair in of.cross} for of in states]
