"""Networks as Flax linen modules: `apply` gives `(logits, stages)`, one table names the stages."""

from transfer_jax.models.stages import HEAD, stage_names, stage_table, table_of, upto
from transfer_jax.models.zoo import create, names, table1_parameters

__all__ = ["HEAD", "create", "names", "stage_names", "stage_table", "table1_parameters", "table_of", "upto"]
