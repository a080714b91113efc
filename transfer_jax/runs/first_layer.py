"""First-layer kernels of a study's members, before and after their training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from transfer_jax.core.errors import ConfigError
from transfer_jax.runs import arrays, layout

Kernels = Mapping[str, Float[np.ndarray, "k k c d"]]
_BEFORE, _AFTER = "before/", "after/"


class Filters(NamedTuple):
    """First-layer kernels.

    Attributes:
      before: Member -> kernel [k, k, c, d] before training.
      after: Member -> kernel after training; members that are not trained yet are missing.
    """

    before: Kernels
    after: Kernels


def write(folder: Path, filters: Filters) -> None:
    """Writes the kernels into the run folder."""
    named = {_BEFORE + name: kernel for name, kernel in filters.before.items()}
    named |= {_AFTER + name: kernel for name, kernel in filters.after.items()}
    arrays.write(folder / layout.FILTERS, named)


def read(folder: Path) -> Filters:
    """Returns the kernels of the run folder; none where there is no file of them.

    Raises:
      ConfigError: The file is damaged.
    """
    path = folder / layout.FILTERS
    if not path.exists():
        return Filters({}, {})
    named = arrays.read(path)
    for name, kernel in named.items():
        if kernel.ndim != 4 or not name.startswith((_BEFORE, _AFTER)):
            raise ConfigError(f"{path} holds {name!r}, which is no kernel: restore it from a copy")
    return Filters(
        *(
            {
                name.removeprefix(when): kernel
                for name, kernel in named.items()
                if name.startswith(when)
            }
            for when in (_BEFORE, _AFTER)
        )
    )
