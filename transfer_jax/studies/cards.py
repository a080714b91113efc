"""The cards of the weights that a study leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transfer_jax.settings import Study
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.session import Outcome
from transfer_jax.train import early_stop
from transfer_jax.weights import Card

_ELSEWHERE = ("network", "data", "task")


def places(folder: Path, outcome: Outcome, member: str) -> list[tuple[Path, Any, Mapping[str, Any]]]:
    """Returns where a member's last and best weights go, the weights, and their evaluation.

    Last weights of a member that diverged are of no use to anyone and are left out; so are best ones
    that are not finite, of a member that began so.
    """
    own = [entry for entry in outcome.history if entry["member"] == member]
    last = (folder / "weights" / member, outcome.variables[member], own[-1])
    best = (folder / "best" / member, outcome.best[member], early_stop.best(own))
    if not early_stop.diverged(own):
        return [last, best]
    return [] if best[2]["diverged"] else [best]


def card(study: Study, opened: Opened, facts: Mapping[str, Any], evaluation: Mapping[str, Any], network: str | None = None) -> Card:
    """The card of a member's weights.

    Args:
      study: it belongs to.
      opened: the data it was trained on.
      facts: what its training was.
      evaluation: of the weights, an entry of a history.
      network: its name, where it is not the study's.
    """
    chosen = {name: getattr(study.network_options, name) for name in ("widths", "momentum", "epsilon")}
    manifest = opened.manifest
    recipe = {name: value for name, value in facts.items() if name not in _ELSEWHERE} | {"steps": evaluation["step"]}
    if opened.task.kind == "binary":
        recipe["threshold"] = opened.task.threshold
    return Card(
        network=network or study.network,
        layout=study.network_options.layout,
        options={name: value for name, value in chosen.items() if value not in (None, ())},
        normalisation=opened.normalisation.grey() if opened.channels == 1 else opened.normalisation,
        normalisation_from="of the training",
        data=f"{manifest.name}: {opened.described()} of {manifest.height} x {manifest.width}",
        task=f"{opened.task.kind}: {', '.join(opened.task.labels)}",
        recipe=recipe,
        metrics={f"validation {name}": float(evaluation[name]) for name in ("auc", "loss")},
        licence=str(manifest.source.get("licence", "")),
    )
