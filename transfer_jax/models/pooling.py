"""Pooling over space: the 3x3 maximum at stride 2 that all networks use, and averages.

XLA on a CPU runs the gradient of `reduce_window` (select-and-scatter) element by element: 38 ms
for 32 images of 48x48x32, against 7 ms for the formula here (BUILD_NOTES.md). Both give the same
numbers even for ties, where the first maximum in window order takes the whole gradient. On other
platforms the compiler's own pooling is used.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from transfer_jax.core.platform import on_cpu

_WINDOW = 3


def max_pool(x: Float[Array, "b h w c"], padding: int = 1) -> Float[Array, "b oh ow c"]:
    """Computes the maximum over 3x3 windows at stride 2; oh = (h - 3 + 2 * padding) // 2 + 1.

    Args:
      x: Maps, [b, h, w, c].
      padding: 0 or 1.
    """
    return max_pool_slices(x, padding) if on_cpu() else max_pool_window(x, padding)


def avg_pool(
    x: Float[Array, "b h w c"],
    *,
    window: int,
    stride: int,
    padding: int = 0,
    count_padding: bool = True,
) -> Float[Array, "b oh ow c"]:
    """Computes the mean over square windows; oh = (h - window + 2 * padding) // stride + 1.

    Args:
      x: Maps, [b, h, w, c].
      window: Side of the windows, pixels.
      stride: Stride of both axes.
      padding: Number of zeros on every side.
      count_padding: Whether to divide by the whole window at the border (PyTorch's default), or by
        the part inside the image (TensorFlow's).
    """
    total = _sum_windows(_sum_windows(x, 1, window, stride, padding), 2, window, stride, padding)
    if count_padding or not padding:
        return total / window**2
    ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return total / _sum_windows(
        _sum_windows(ones, 1, window, stride, padding), 2, window, stride, padding
    )


def _sum_windows(x: Array, axis: int, window: int, stride: int, padding: int) -> Array:
    """Sums `window` neighbours along one axis, as a sum of strided slices.

    Its gradient consists of pads, which are fast everywhere.
    """
    size = (x.shape[axis] - window + 2 * padding) // stride + 1
    padded = jnp.pad(x, [(padding, padding) if i == axis else (0, 0) for i in range(x.ndim)])
    last = stride * (size - 1) + 1
    return sum(
        (lax.slice_in_dim(padded, i, i + last, stride, axis) for i in range(1, window)),
        lax.slice_in_dim(padded, 0, last, stride, axis),
    )


def max_pool_window(x: Float[Array, "b h w c"], padding: int = 1) -> Float[Array, "b oh ow c"]:
    """Computes `max_pool` with XLA's `reduce_window`."""
    sides = (padding, padding)
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), sides, sides, (0, 0))
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool_slices(x: Float[Array, "b h w c"], padding: int = 1) -> Float[Array, "b oh ow c"]:
    """Computes `max_pool` as the maximum of nine strided slices."""
    return functools.reduce(jnp.maximum, _slices(x, padding))


def _slices(x: Array, padding: int) -> list[Array]:
    """Returns the elements of the windows as nine arrays [b, oh, ow, c], in window order."""
    b, h, w, c = x.shape
    oh, ow = ((side - _WINDOW + 2 * padding) // 2 + 1 for side in (h, w))
    lowest = jnp.array(-jnp.inf, x.dtype)
    # The windows cover 2 * oh + 1 rows, of which the first `padding` lie above the image; rows of
    # the image below them are cut off by negative padding.
    padded = lax.pad(
        x,
        lowest,
        (
            (0, 0, 0),
            (padding, 2 * oh + 1 - h - padding, 0),
            (padding, 2 * ow + 1 - w - padding, 0),
            (0, 0, 0),
        ),
    )
    return [
        lax.slice(padded, (0, i, j, 0), (b, i + 2 * oh - 1, j + 2 * ow - 1, c), (1, 2, 2, 1))
        for i in range(_WINDOW)
        for j in range(_WINDOW)
    ]


def _forward(x: Array, padding: int) -> tuple[Array, tuple[Array, Array]]:
    y = max_pool_slices(x, padding)
    return y, (x, y)


def _backward(padding: int, residuals: tuple[Array, Array], gradient: Array) -> tuple[Array]:
    x, y = residuals
    b, h, w, c = x.shape
    oh, ow = y.shape[1:3]
    zero = jnp.zeros((), gradient.dtype)
    taken = jnp.zeros(y.shape, bool)
    # Row 2o + i of the padded image is row o + i // 2 of phase i % 2: four quarter-size sums,
    # woven together at the end, touch far less memory than nine scatters into the whole image.
    phases: dict[tuple[int, int], Array] = {}
    for position, element in enumerate(_slices(x, padding)):
        i, j = divmod(position, _WINDOW)
        first = (element == y) & ~taken
        taken = taken | first
        di, dj = i // 2, j // 2
        part = lax.pad(
            jnp.where(first, gradient, zero),
            zero,
            ((0, 0, 0), (di, 1 - di, 0), (dj, 1 - dj, 0), (0, 0, 0)),
        )
        phase = (i % 2, j % 2)
        phases[phase] = phases[phase] + part if phase in phases else part
    rows = [
        jnp.stack([phases[i, 0], phases[i, 1]], axis=3).reshape(b, oh + 1, 2 * (ow + 1), c)
        for i in (0, 1)
    ]
    woven = jnp.stack(rows, axis=2).reshape(b, 2 * (oh + 1), 2 * (ow + 1), c)
    return (woven[:, padding : h + padding, padding : w + padding],)


max_pool_slices.defvjp(_forward, _backward)
