"""Networks as Flax linen modules: `apply` gives `(logits, stages)`, one table names the stages."""

from transfer_jax.models.stages import HEAD, HEADS, first_kernel, stage_names, stage_table, stem, table_of, upto, with_first_kernel, without
from transfer_jax.models.zoo import create, layouts, least_side, names, shapes, table1_parameters

__all__ = [
    "HEAD",
    "HEADS",
    "create",
    "first_kernel",
    "layouts",
    "least_side",
    "names",
    "shapes",
    "stage_names",
    "stage_table",
    "stem",
    "table1_parameters",
    "table_of",
    "upto",
    "with_first_kernel",
    "without",
]
