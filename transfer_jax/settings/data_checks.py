"""What must hold between the options of a data set."""

from __future__ import annotations

from transfer_jax.core import normalisation
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import one_of
from transfer_jax.data import augment, modes, order, partition, task
from transfer_jax.data.config import Data


def check_data(where: str, data: Data) -> None:
    """Raises ConfigError where options of a data set contradict each other."""
    if data.normalisation not in (None, normalisation.OWN):
        normalisation.named(data.normalisation)
    if data.threshold is not None and data.task != "binary":
        raise ConfigError(
            f"config.{where}.threshold is read by task='binary' only, not by {data.task!r}: take "
            f"it out, or change config.{where}.task"
        )
    if data.referable is not None and data.task != "multiclass":
        raise ConfigError(
            f"config.{where}.referable is read by task='multiclass' only, not by {data.task!r}: "
            f"take it out, or change config.{where}.task"
        )
    if data.held_out is not None:
        one_of(f"config.{where}.held_out", data.held_out, partition.HELD_OUT)
        if data.folds is None:
            raise ConfigError(
                f"config.{where}.held_out is read where config.{where}.folds is set: set both, or "
                "take it out"
            )
    one_of(f"config.{where}.balance", data.balance, order.BALANCES)
    one_of(f"config.{where}.mode", data.mode, (modes.AUTO, *modes.MODES))
    if data.balance in ("over", "under") and data.task == "multilabel":
        raise ConfigError(
            f"config.{where}.balance={data.balance!r} needs one label; for a multilabel task "
            "choose 'weights'"
        )
    if data.preset is not None:
        augment.preset(data.preset)
        if data.augment != augment.Augmentation():
            raise ConfigError(
                f"config.{where}.preset and config.{where}.augment are both set: choose one"
            )
    policies = task.policies(data.labels, data.uncertain)
    if ("self_trained" in policies) != (data.predictions is not None):
        raise ConfigError(
            f"config.{where}.predictions (a table of tools.predict) and the policy 'self_trained' "
            "need each other: set both or neither"
        )
