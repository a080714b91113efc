"""The cards of the weights that a study leaves."""

from collections.abc import Mapping
from typing import Any

from transfer_jax.settings import Study
from transfer_jax.studies.datasets import Opened
from transfer_jax.studies.results import History
from transfer_jax.weights import Card

_ELSEWHERE = ("network", "data", "task")


def card(study: Study, opened: Opened, facts: Mapping[str, Any], history: History, member: str) -> Card:
    """The card of a member's final weights.

    Args:
      study: it belongs to.
      opened: the data it was trained on.
      facts: what its training was.
      history: of all members.
      member: its name.
    """
    last = [entry for entry in history if entry["member"] == member][-1]
    chosen = {name: getattr(study.network_options, name) for name in ("widths", "momentum", "epsilon")}
    manifest = opened.manifest
    return Card(
        network=study.network,
        layout=study.network_options.layout,
        options={name: value for name, value in chosen.items() if value not in (None, ())},
        normalisation=opened.normalisation.grey() if opened.channels == 1 else opened.normalisation,
        normalisation_from="of the training",
        data=f"{manifest.name}: {opened.described()} of {manifest.height} x {manifest.width}",
        task=f"{opened.task.kind}: {', '.join(opened.task.labels)}",
        recipe={name: value for name, value in facts.items() if name not in _ELSEWHERE},
        metrics={f"validation {name}": float(last[name]) for name in ("auc", "loss")},
        licence=str(manifest.source.get("licence", "")),
    )
