"""Weight transfusion: pretrained up to a stage, random above."""

from typing import Any

import jax

from transfer_jax import models
from transfer_jax.inits.pretrained import take


def transfusion(key: jax.Array, variables: Any, source: Any, *, upto: str) -> Any:
    """Every stage from the first to `upto` from the source, batch norm included; the rest stays as it is in `variables`.

    Only the taken stages must have the source's shapes: resnet50_slim, half as wide from block3 on, takes up to block2 from a ResNet-50.

    Raises:
      ConfigError: the network has no stage `upto`, or the source does not fit so far; the message says how far it does.

    Source: Raghu et al. 2019, section 5, Figures 7 and 8.
    """
    del key
    return take(variables, source, models.upto(models.table_of(variables["params"]), upto))
