"""Stops the compiler from fusing.

XLA on a CPU fuses a cheap operation into everything that reads its result, and computes it again
there. In a residual network the sum of a unit is read by the sum of the next one, and so on: the
fusions of unit n hold the sums of all n units before it, forward and backward, and the time of a
training step grows with the square of the depth (BUILD_NOTES.md, "Speed").
`lax.optimization_barrier` does not help: on a CPU it is removed before operations are fused.
"""

import jax
from jax import lax
from jaxtyping import Array

from transfer_jax.core.platform import on_cpu


def settle(x: Array) -> Array:
    """Returns `x`, computed once, and likewise its gradient.

    Does nothing away from CPUs: other compilers weigh what fusing costs.
    """
    return _settled(x) if on_cpu() else x


def _written(x: Array) -> Array:
    # Its own first element (of every image, so that devices need nothing of each other) is written
    # into it in place: the one operation that is neither fused into its readers nor costs
    # anything.
    return lax.dynamic_update_slice(
        x, lax.slice(x, (0,) * x.ndim, (x.shape[0], *(1,) * (x.ndim - 1))), (0,) * x.ndim
    )


@jax.custom_vjp
def _settled(x: Array) -> Array:
    return _written(x)


def _forward(x: Array) -> tuple[Array, None]:
    return _written(x), None


def _backward(residuals: None, gradient: Array) -> tuple[Array]:
    del residuals
    return (_written(gradient),)


_settled.defvjp(_forward, _backward)
