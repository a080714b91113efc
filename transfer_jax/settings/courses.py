"""Ways to fine-tune that have names, as values for `config.recipe.phases` and `config.recipe.rates` (or an arm's)."""

from __future__ import annotations

from typing import Any

from ml_collections import config_dict

from transfer_jax import models

Phases = tuple[config_dict.ConfigDict, ...]


def phase(steps: int, rates: tuple[str, ...] = ("all=1",), **chosen: Any) -> config_dict.ConfigDict:
    """A phase of `steps` steps; further options of `settings.Phase`."""
    return config_dict.ConfigDict({"steps": steps, "rates": rates, **chosen})


def head_first(head: int, rest: int, *, head_rate: float = 1e-3, optimizer: str = "adam") -> Phases:
    """`head` steps of the head alone, with its own rate and optimiser, then `rest` steps of everything with the recipe's.

    Source: Juodelyte et al. 2023; their frozen phase uses Adam at 1e-3, whatever the recipe's rate (their published code).
    """
    return (phase(head, ("head=1", "all=0"), learning_rate=head_rate, optimizer=optimizer, schedule="constant"), phase(rest))


def gradual(network: str, each: int, rest: int) -> Phases:
    """Stages are unfrozen from the top down: the head alone, then with the last stage, and so on, `each` steps a phase; then `rest` steps of all.

    Source: Howard & Ruder 2018 (ULMFiT), section 3.3.
    """
    stages = models.stage_names(network)
    made, trained = [phase(each, ("head=1", "all=0"))], ["head=1"]
    for stage in reversed(stages[1:]):
        trained.append(f"{stage}=1")
        made.append(phase(each, (*trained, "all=0")))
    return (*made, phase(rest))


def layerwise(network: str, decay: float) -> tuple[str, ...]:
    """Rates that fall by the factor `decay` from each stage to the one below it; the head's is one.

    Source: Howard & Ruder 2018 (ULMFiT), section 3.2, "discriminative fine-tuning".
    """
    stages = models.stage_names(network)
    return ("head=1", *(f"{stage}={decay ** (len(stages) - i):g}" for i, stage in enumerate(stages)))


def frozen_upto(network: str, stage: str) -> tuple[str, ...]:
    """Rates that freeze every stage from the first to `stage`."""
    return (*(f"{name}=0" for name in models.upto(models.stage_table(network), stage)), "all=1")
