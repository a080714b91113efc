"""Activations as users give them: checked at the door, before anything of their size is made."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.core.errors import AnalysisError

_POSITIONS = 4  # axes of a map of activations: images, rows, columns, channels


def as_rows(activations: Any, name: str) -> Any:
    """Returns activations as a table of floating-point numbers, a row per position.

    Args:
      activations: An array, or what NumPy makes one of, [n, d].
      name: Name of the side, for errors.

    Returns:
      The array itself where it is one of floating-point numbers; whole numbers and booleans become
      float64 in NumPy and float32 in JAX.

    Raises:
      AnalysisError: It is not a table of real numbers with at least one channel.
    """
    array = activations if hasattr(activations, "shape") else _as_array(activations, name)
    if array.ndim == _POSITIONS:
        raise AnalysisError(
            f"{name} is of shape {tuple(array.shape)}: give rows, one per position of every image, as "
            f"{name}.reshape(-1, {array.shape[-1]}), or compare maps by analysis.layerwise"
        )
    if array.ndim != 2:
        advice = f"; a single channel is {name}[:, None]" if array.ndim == 1 else ""
        shape = tuple(array.shape)
        raise AnalysisError(f"{name} is of shape {shape}: give [positions, channels]{advice}")
    if array.shape[1] == 0:
        raise AnalysisError(f"{name} has no channels: its shape is {tuple(array.shape)}")
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array
    if jnp.issubdtype(array.dtype, jnp.integer) or array.dtype == bool:
        return array.astype(jnp.float32 if isinstance(array, jax.Array) else np.float64)
    raise AnalysisError(f"{name} holds {array.dtype}: activations are real numbers")


def pair(x: Any, y: Any, names: tuple[str, str] = ("x", "y")) -> tuple[Any, Any]:
    """Returns two activations as tables of the same positions; errors as `as_rows`.

    Raises:
      AnalysisError: The numbers of positions differ.
    """
    x, y = as_rows(x, names[0]), as_rows(y, names[1])
    if len(x) != len(y):
        turned = x.shape[1] == y.shape[1]
        raise AnalysisError(
            "the activations do not correspond: "
            f"{names[0]} has {len(x)} rows and {names[1]} {len(y)}" + (f"; both have {x.shape[1]} columns: are they transposed?" if turned else "")
        )
    return x, y


def check_positions(n: int, d1: int, d2: int, names: tuple[str, str]) -> None:
    """Raises AnalysisError where there are too few positions for CCA."""
    most = max(d1, d2)
    if n > most:
        return
    transposed = f". If the rows are channels and the columns positions, transpose: {names[0]}.T" if n < min(d1, d2) else ""
    raise AnalysisError(
        f"{names[0]} and {names[1]}: {n} positions of {d1} and {d2} channels. CCA needs more than "
        f"{most} (with so few it finds coefficients of 1 in noise): give at least {10 * most} by more "
        f"images, or sample fewer channels{transposed}"
    )


def _as_array(activations: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(activations)
    except (ValueError, TypeError) as error:
        raise AnalysisError(f"{name} is not an array ({error})") from error
