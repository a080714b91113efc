"""Max pooling 3x3, stride 2, padding 1: the one pooling window that the ResNets and the CBR networks share.

XLA on a CPU runs the gradient of `reduce_window` (select-and-scatter) element by element: 38 ms for 32 images of 48x48x32,
against 7 ms for the formula here (BUILD_NOTES.md). Both give the same numbers, ties included: the first maximum in window
order takes the whole gradient. On other platforms the compiler's own pooling is used.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from transfer_jax.core.platform import on_cpu

_WINDOW = 3


def max_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b oh ow c"]:
    """Maximum over 3x3 windows at stride 2 with padding 1; oh = (h + 1) // 2."""
    return max_pool_slices(x) if on_cpu() else max_pool_window(x)


def max_pool_window(x: Float[Array, "b h w c"]) -> Float[Array, "b oh ow c"]:
    """The pool by XLA's `reduce_window`."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))


@jax.custom_vjp
def max_pool_slices(x: Float[Array, "b h w c"]) -> Float[Array, "b oh ow c"]:
    """The same pool as the maximum of nine strided slices."""
    return functools.reduce(jnp.maximum, _slices(x))


def _slices(x: Array) -> list[Array]:
    """The nine [b, oh, ow, c] arrays that hold the windows' elements, in window order."""
    b, h, w, c = x.shape
    oh, ow = (h + 1) // 2, (w + 1) // 2
    lowest = jnp.array(-jnp.inf, x.dtype)
    padded = lax.pad(x, lowest, ((0, 0, 0), (1, 2 * oh - h, 0), (1, 2 * ow - w, 0), (0, 0, 0)))
    return [lax.slice(padded, (0, i, j, 0), (b, i + 2 * oh - 1, j + 2 * ow - 1, c), (1, 2, 2, 1)) for i in range(_WINDOW) for j in range(_WINDOW)]


def _forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    y = max_pool_slices(x)
    return y, (x, y)


def _backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array]:
    x, y = residuals
    b, h, w, c = x.shape
    oh, ow = y.shape[1:3]
    zero = jnp.zeros((), gradient.dtype)
    taken = jnp.zeros(y.shape, bool)
    # Row 2o + i of the padded image is row o + i // 2 of phase i % 2: four quarter-size sums, woven together at the end,
    # touch far less memory than nine scatters into the whole image.
    phases: dict[tuple[int, int], Array] = {}
    for position, element in enumerate(_slices(x)):
        i, j = divmod(position, _WINDOW)
        first = (element == y) & ~taken
        taken = taken | first
        di, dj = i // 2, j // 2
        part = lax.pad(jnp.where(first, gradient, zero), zero, ((0, 0, 0), (di, 1 - di, 0), (dj, 1 - dj, 0), (0, 0, 0)))
        phase = (i % 2, j % 2)
        phases[phase] = phases[phase] + part if phase in phases else part
    rows = [jnp.stack([phases[i, 0], phases[i, 1]], axis=3).reshape(b, oh + 1, 2 * (ow + 1), c) for i in (0, 1)]
    woven = jnp.stack(rows, axis=2).reshape(b, 2 * (oh + 1), 2 * (ow + 1), c)
    return (woven[:, 1 : h + 1, 1 : w + 1],)


max_pool_slices.defvjp(_forward, _backward)
