"""Weight transfusion: pretrained up to a stage, random above."""

from typing import Any

import jax

from transfer_jax import models
from transfer_jax.inits.pretrained import take


def transfusion(key: jax.Array, variables: Any, source: Any, *, upto: str) -> Any:
    """Every stage from the first to `upto` from the source, batch norm included; the rest stays as it was drawn.

    Raises:
      ConfigError: the network has no stage `upto`.

    Source: Raghu et al. 2019, section 5 and Figure 7.
    """
    del key
    return take(variables, source, models.upto(models.table_of(variables["params"]), upto))
