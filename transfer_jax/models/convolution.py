"""Two-dimensional convolution, with formulas for what XLA's own is slow at on a CPU.

Measured on 2 cores with 32 images (BUILD_NOTES.md, "Speed"):

- a kernel larger than its input: 5x5 on 4x4x128 -> 256 takes 155 ms, folded 2 ms;
- the gradient for the input of a wide kernel: 5x5 on 12x12, 128 -> 64 channels takes 8.2 ms,
  folded 5.0 ms;
- 64 output channels of a wide kernel: 5x5, 32 -> 64 at 24x24 takes 7.8 ms, two columns at a time
  5.0 ms;
- 1x1 kernels: 256 -> 64 channels at 56x56 (batch 8) takes 7.1, 4.7 and 23 ms forward, for the
  input and for the kernel; as a matrix product 3.3, 2.5 and 6.9 ms;
- a number of input channels that is no multiple of four: 5x5x3 -> 32 at 48x48 takes 10.4 ms, with
  a zero channel added 2.1 ms.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from transfer_jax.core.platform import on_cpu

_LANES = 4
_WIDE = 5


def convolve(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "kh kw c d"],
    stride: int = 1,
    same: bool = True,
) -> Float[Array, "b oh ow d"]:
    """Computes the cross-correlation as PyTorch does; oh = (h + 2 * pad - kh) // stride + 1.

    Args:
      x: Images, [b, h, w, c].
      kernel: Kernel, [kh, kw, c, d].
      stride: Stride of both axes.
      same: Whether to pad by (k - 1) // 2 zeros on every side, or not at all.
    """
    if not on_cpu():
        return convolve_direct(x, kernel, stride, same)
    if kernel.shape[:2] == (1, 1):
        return convolve_pointwise(x, kernel, stride)
    x, kernel = _fill_lanes(x, kernel)
    if (
        stride == 1
        and same
        and kernel.shape[0] >= _WIDE
        and kernel.shape[0] == kernel.shape[1]
        and kernel.shape[0] % 2
    ):
        return convolve_wide(x, kernel)
    return convolve_direct(x, kernel, stride, same)


def convolve_direct(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "kh kw c d"],
    stride: int = 1,
    same: bool = True,
) -> Float[Array, "b oh ow d"]:
    """Computes `convolve` with the compiler's own convolution."""
    padding = [((k - 1) // 2, (k - 1) // 2) if same else (0, 0) for k in kernel.shape[:2]]
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def convolve_pointwise(
    x: Float[Array, "b h w c"], kernel: Float[Array, "1 1 c d"], stride: int = 1
) -> Float[Array, "b oh ow d"]:
    """Computes `convolve` with a 1x1 kernel, as a matrix product."""
    strided = x[:, ::stride, ::stride]
    products = strided.reshape(-1, x.shape[3]) @ kernel[0, 0]
    return products.reshape(*strided.shape[:3], kernel.shape[3])


def convolve_folded(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c d"]
) -> Float[Array, "b h w d"]:
    """Computes `convolve` at stride 1 with an odd kernel, as a sum of convolutions along the rows.

    The k rows of the kernel become output channels of a 1 x k kernel. With k times the output
    channels the matrix products inside are wide, at the price of k times the output's memory for a
    moment.
    """
    k, _, c, d = kernel.shape
    rows = lax.conv_general_dilated(
        x,
        kernel.transpose(1, 2, 0, 3).reshape(1, k, c, k * d),
        (1, 1),
        ((0, 0), (k // 2, k // 2)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    zero = jnp.zeros((), rows.dtype)
    parts = (rows[..., i * d : (i + 1) * d] for i in range(k))
    # Row i of the kernel looks i - k // 2 rows down, so its result belongs that many rows up.
    shifted = (
        lax.pad(part, zero, ((0, 0, 0), (k // 2 - i, i - k // 2, 0), (0, 0, 0), (0, 0, 0)))
        for i, part in enumerate(parts)
    )
    return sum(shifted, start=zero)


def convolve_paired(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c d"]
) -> Float[Array, "b h w d"]:
    """Computes `convolve` at stride 1 with an odd kernel and an even w, in pairs of output columns.

    The kernel, and the same kernel shifted by one column to the right, become one kernel of k + 1
    columns with twice the output channels.
    """
    k, _, _, d = kernel.shape
    b, h, w, _ = x.shape
    both = jnp.concatenate(
        [jnp.pad(kernel, ((0, 0), (i, 1 - i), (0, 0), (0, 0))) for i in range(2)], axis=-1
    )
    padding = ((k // 2, k // 2), (k // 2, k // 2))
    pairs = lax.conv_general_dilated(
        x, both, (1, 2), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return pairs.reshape(b, h, w, d)


@jax.custom_vjp
def convolve_wide(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c d"]
) -> Float[Array, "b h w d"]:
    """Computes `convolve` at stride 1 with an odd kernel of at least five, by the fastest formula.

    The forward pass and the gradient of the input each use the formula that is fastest on a CPU.
    """
    h, w, c = x.shape[1:]
    if kernel.shape[0] > min(h, w):
        return convolve_folded(x, kernel)
    # Faster for exactly these sizes, as measured: with 32 or 128 output channels, with few input
    # channels, or with large images it is slower.
    if kernel.shape[3] == 64 and c >= 32 and w % 2 == 0 and h * w <= 32 * 32:
        return convolve_paired(x, kernel)
    return convolve_direct(x, kernel)


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return convolve_wide(x, kernel), (x, kernel)


def _backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    for_input = convolve_folded(gradient, kernel[::-1, ::-1].swapaxes(2, 3))
    (for_kernel,) = jax.vjp(lambda k: convolve_direct(x, k), kernel)[1](gradient)
    return for_input, for_kernel


convolve_wide.defvjp(_forward, _backward)


def _fill_lanes(x: Array, kernel: Array) -> tuple[Array, Array]:
    """Adds zero input channels up to a multiple of four, which does not change the convolution."""
    missing = -x.shape[-1] % _LANES
    if not missing:
        return x, kernel
    none, more = (0, 0), (0, missing)
    return jnp.pad(x, (none, none, none, more)), jnp.pad(kernel, (none, none, more, none))
