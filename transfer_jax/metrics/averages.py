"""Running averages of logged values, as mergeable clu states inside a member's state."""

from collections.abc import Iterable, Mapping

import jax
from clu.metrics import Average
from jaxtyping import Array, Float

Averages = dict[str, Average]


def empty(names: Iterable[str]) -> Averages:
    """Returns one average of no values per name."""
    return {name: Average.empty() for name in names}


def add(averages: Averages, values: Mapping[str, Float[Array, ""]]) -> Averages:
    """Adds one value to every average.

    Args:
      averages: Name -> average.
      values: Name -> scalar [], for exactly the names of `averages`.

    Raises:
      ValueError: The names differ, which is a mistake in an objective's `logged`.
    """
    if averages.keys() != values.keys():
        raise ValueError(
            f"averages of {sorted(averages)} cannot take values named {sorted(values)}"
        )
    return {
        name: average.merge(Average.from_model_output(values[name]))
        for name, average in averages.items()
    }


def compute(averages: Averages) -> dict[str, float]:
    """Returns name -> mean of the added values; NaN where none was added."""
    return {name: float(jax.device_get(average.compute())) for name, average in averages.items()}
