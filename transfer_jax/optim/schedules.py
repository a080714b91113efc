"""Learning-rate schedules as multipliers in [0, 1] of a member's own learning rate."""

from collections.abc import Callable

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

Schedule = Callable[[Array], Float[Array, ""]]


def build(name: str, steps: int, warmup: int = 0) -> Schedule:
    """The schedule `name` over `steps` steps: "constant" or "cosine" (to zero), after `warmup` steps of linear rise.

    Raises:
      ConfigError: no such schedule, or the warm-up is as long as the run.
    """
    if not 0 <= warmup < steps:
        raise ConfigError(f"warmup={warmup} must lie in 0..{steps - 1} (steps={steps})")
    if name == "constant":
        main: Schedule = optax.constant_schedule(1.0)
    elif name == "cosine":
        main = optax.cosine_decay_schedule(1.0, steps - warmup)
    else:
        raise ConfigError(f"unknown schedule {name!r}: {nearest(name, ('constant', 'cosine'))}")

    def schedule(step: Array) -> Float[Array, ""]:
        rise = jnp.minimum((step + 1) / (warmup + 1), 1.0)
        return jnp.float32(rise * main(jnp.maximum(step - warmup, 0)))

    return schedule
