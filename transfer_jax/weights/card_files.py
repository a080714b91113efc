"""The card of a weight file: in the file, in a config beside it, or assumed from its library."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transfer_jax.core.errors import CheckpointError
from transfer_jax.core.normalisation import Normalisation
from transfer_jax.weights import model_card
from transfer_jax.weights.model_card import Card


def beside(file: Path) -> Iterator[tuple[Path, Any]]:
    """Yields the configs beside a file (timm's or ours), with their content."""
    for path in (file.with_suffix(".json"), file.with_name("config.json")):
        if path.is_file():
            yield path, _json(path.read_text(errors="replace"), path)


def stated(file: Path, metadata: dict[str, str]) -> Card | None:
    """Returns the card in a file, or in a config beside it; None where there is none."""
    if "transfer_jax" in metadata:
        return Card.from_json(_json(metadata["transfer_jax"], file), str(file))
    for path, value in beside(file):
        if isinstance(value, dict) and "transfer_jax" in value:
            return Card.from_json(value["transfer_jax"], str(path))
    return None


def assumed(file: Path, name: str, scheme: str, options: dict[str, Any]) -> Card:
    """Returns the card of a file without one.

    Its normalisation is that of a timm config beside the file, or of its library.
    """
    card = model_card.assumed(name, scheme, options)
    for path, value in beside(file):
        config = value.get("pretrained_cfg", value) if isinstance(value, dict) else {}
        if isinstance(config, dict) and {"mean", "std"} <= config.keys():
            try:
                normalisation = Normalisation.from_json(
                    {"name": "custom", "mean": config["mean"], "std": config["std"]}
                )
            except (ValueError, TypeError) as error:
                raise CheckpointError(
                    f"{path} has a normalisation that cannot be used: {error}"
                ) from error
            return dataclasses.replace(
                card, normalisation=normalisation, normalisation_from=f"stated in {path.name}"
            )
    return card


def _json(text: str, where: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} holds a card that is not JSON ({error})") from error
