"""Named ways to fine-tune, as values of `config.recipe.phases` and `config.recipe.rates` (or an
arm's).
"""

from __future__ import annotations

from typing import Any

from ml_collections import config_dict

from transfer_jax import models

Phases = tuple[config_dict.ConfigDict, ...]


def phase(
    length: int, rates: tuple[str, ...] = ("all=1",), *, unit: str = "steps", **options: Any
) -> config_dict.ConfigDict:
    """Returns a phase.

    Args:
      length: Number of steps or epochs, at most.
      rates: Which parameters learn how fast, see `optim.rates`.
      unit: What the length counts, as the recipe does: "steps" or "epochs".
      **options: Further options of `settings.Phase`.
    """
    return config_dict.ConfigDict({unit: length, "rates": rates, **options})


def head_first(
    head: int,
    rest: int,
    *,
    head_rate: float = 1e-3,
    optimizer: str = "adam",
    unit: str = "steps",
    **head_options: Any,
) -> Phases:
    """Returns phases that train the head alone first, then everything.

    Args:
      head: Number of steps or epochs of the head alone.
      rest: Number of steps or epochs of everything, with the recipe's optimiser and rate.
      head_rate: Learning rate of the head's phase.
      optimizer: Optimiser of the head's phase.
      unit: "steps" or "epochs".
      **head_options: Further options of the head's phase, as patience=2, select="accuracy".

    Source: Juodelyte et al. 2023; their frozen phase uses Adam at 1e-3, whatever the recipe's rate,
    and ends when the validation accuracy has not risen for 2 epochs (their published code).
    """
    alone = phase(
        head,
        ("head=1", "all=0"),
        learning_rate=head_rate,
        optimizer=optimizer,
        schedule="constant",
        unit=unit,
        **head_options,
    )
    return (alone, phase(rest, unit=unit))


def gradual(network: str, each: int, rest: int, *, unit: str = "steps") -> Phases:
    """Returns phases that unfreeze the stages from the top down.

    The head is trained alone, then with the last stage, and so on down to the second stage.

    Args:
      network: Name of the network.
      each: Number of steps or epochs of each of these phases.
      rest: Number of steps or epochs of everything at the end.
      unit: "steps" or "epochs".

    Source: Howard & Ruder 2018 (ULMFiT), section 3.3.
    """
    phases, trained = [phase(each, ("head=1", "all=0"), unit=unit)], ["head=1"]
    for stage in reversed(models.stage_names(network)[1:]):
        trained.append(f"{stage}=1")
        phases.append(phase(each, (*trained, "all=0"), unit=unit))
    return (*phases, phase(rest, unit=unit))


def layerwise(network: str, decay: float) -> tuple[str, ...]:
    """Returns rates that fall by a factor from each stage to the one below it; the head's is one.

    Args:
      network: Name of the network.
      decay: The factor.

    Source: Howard & Ruder 2018 (ULMFiT), section 3.2, "discriminative fine-tuning".
    """
    stages = models.stage_names(network)
    rates = (f"{stage}={decay ** (len(stages) - i):g}" for i, stage in enumerate(stages))
    return ("head=1", *rates)


def frozen_upto(network: str, stage: str) -> tuple[str, ...]:
    """Returns rates that freeze every stage from the first to `stage`."""
    frozen = models.upto(models.stage_table(network), stage)
    return (*(f"{name}=0" for name in frozen), "all=1")
