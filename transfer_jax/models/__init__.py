"""Networks as Flax linen modules whose `apply` returns `(logits, stages)`, and facts about them."""

from transfer_jax.models.stages import (
    AUXILIARY_HEAD,
    HEAD,
    HEADS,
    first_kernel,
    stage_names,
    stage_table,
    stem,
    table_of,
    upto,
    with_first_kernel,
    without,
)
from transfer_jax.models.zoo import (
    create,
    layouts,
    least_side,
    names,
    shapes,
    spec,
    table1_parameters,
)

__all__ = [
    "AUXILIARY_HEAD",
    "HEAD",
    "HEADS",
    "create",
    "first_kernel",
    "layouts",
    "least_side",
    "names",
    "shapes",
    "spec",
    "stage_names",
    "stage_table",
    "stem",
    "table1_parameters",
    "table_of",
    "upto",
    "with_first_kernel",
    "without",
]
