"""Learning-rate schedules as factors in [0, 1] of a member's own learning rate."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest

Schedule = Callable[[Array], Float[Array, ""]]

# Name -> (number of steps after the warm-up) -> schedule.
_SCHEDULES: Mapping[str, Callable[[int], Schedule]] = {
    "constant": lambda steps: optax.constant_schedule(1.0),
    "cosine": lambda steps: optax.cosine_decay_schedule(1.0, steps),
}


def build(name: str, steps: int, warmup: int = 0) -> Schedule:
    """Returns a function from the step, int [], to the factor of the learning rate, [].

    Args:
      name: "constant", or "cosine", which ends at zero.
      steps: Number of steps, warm-up included.
      warmup: Number of steps over which the factor first rises linearly.

    Raises:
      ConfigError: There is no such schedule, or the warm-up is as long as the run.
    """
    if not 0 <= warmup < steps:
        raise ConfigError(f"warmup={warmup} must lie in 0..{steps - 1} (steps={steps})")
    if name not in _SCHEDULES:
        raise ConfigError(f"unknown schedule {name!r}: {nearest(name, _SCHEDULES)}")
    main = _SCHEDULES[name](steps - warmup)

    def schedule(step: Array) -> Float[Array, ""]:
        rise = jnp.minimum((step + 1) / (warmup + 1), 1.0)
        return jnp.float32(rise * main(jnp.maximum(step - warmup, 0)))

    return schedule
