"""The card that accompanies weights: their network, its input, its training and its results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from transfer_jax import models
from transfer_jax.core.errors import CheckpointError
from transfer_jax.core.normalisation import NAMED, Normalisation

_UNKNOWN = "not stated"
_FRONT_MATTER = (
    "---",
    "library_name: timm",
    "tags:",
    "- medical-imaging",
    "- transfer-learning",
    "- image-classification",
    "---",
    "",
)


@dataclasses.dataclass(frozen=True)
class Card:
    """The card of a set of weights.

    Attributes:
      network: Name of the network in `transfer_jax.models`.
      layout: "torchvision" or "keras".
      options: Further options of `models.create`, such as widths.
      normalisation: Normalisation of the pixels.
      normalisation_from: Where the normalisation is known from.
      data: Data that it was trained on, in words.
      task: Meaning of its outputs, in words.
      recipe: How it was trained, name -> value.
      metrics: Name -> value.
      licence: Licence of the data.
      recognised: What was recognised, chosen or ignored when the weights were read from another
        program's file, a sentence each.
    """

    network: str
    layout: str
    normalisation: Normalisation
    normalisation_from: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    data: str = ""
    task: str = ""
    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    licence: str = ""
    recognised: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the card as a mapping of plain values."""
        return {**dataclasses.asdict(self), "normalisation": self.normalisation.to_json()}

    @classmethod
    def from_json(cls, value: Any, where: str) -> Card:
        """Returns the card that `to_json` wrote; `where` names it in the message.

        Raises:
          CheckpointError: It is not a card.
        """
        try:
            options = {
                name: tuple(v) if isinstance(v, list) else v
                for name, v in value.get("options", {}).items()
            }  # JSON has no tuples
            read = {
                "options": options,
                "normalisation": Normalisation.from_json(value["normalisation"]),
            }
            recognised = value.get("recognised", ())  # cards of earlier versions have none
            if not isinstance(recognised, list | tuple):
                raise TypeError(f"{recognised!r} is not a list of texts")
            card = cls(**{**value, **read, "recognised": tuple(recognised)})
            texts = (
                card.network,
                card.layout,
                card.data,
                card.task,
                card.licence,
                card.normalisation_from,
            )
            for text in (*texts, *card.recognised):
                if not isinstance(text, str):
                    raise TypeError(f"{text!r} is not a text")
            for mapping in (card.options, card.recipe, card.metrics):
                if not isinstance(mapping, Mapping):
                    raise TypeError(f"{mapping!r} is not a mapping")
            return card
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"{where} is not a card of this program ({str(error)[:200]}): remove it, or"
                " export the weights again"
            ) from error

    def to_markdown(self, outputs: int | None, parameters: int) -> str:
        """Returns the model card of a hub: YAML front matter and sections in Markdown.

        Args:
          outputs: Number of outputs of the head; None without a head.
          parameters: Number of parameters.
        """
        facts = self._facts(outputs, parameters)
        lines = [*_FRONT_MATTER, f"# {self.network}", "", "Trained and exported by transfer_jax."]
        lines += ["", "| | |", "| --- | --- |"]
        lines += [f"| {key} | {_cell(value)} |" for key, value in facts.items()]
        lines += ["", "## Normalisation", "", *self._normalisation()]
        recipe = [f"- {key}: {value}" for key, value in self.recipe.items()]
        lines += ["", "## Recipe", "", *(recipe or [_UNKNOWN])]
        metrics = [f"- {key}: {value:.4f}" for key, value in self.metrics.items()]
        lines += ["", "## Metrics", "", *(metrics or [_UNKNOWN])]
        lines += ["", "Not a medical device; for research only.", ""]
        return "\n".join(lines)

    def _facts(self, outputs: int | None, parameters: int) -> dict[str, str]:
        """Returns the first table of the card."""
        options = "".join(f", {key}={value}" for key, value in self.options.items())
        task = f": {self.task}" if self.task else ""
        facts = {
            "Network": f"{self.network}, layout {self.layout}{options}",
            "Parameters": f"{parameters:,}",
            "Outputs": f"{outputs}{task}" if outputs else "none: features alone",
            "Data": self.data or _UNKNOWN,
            "Licence of the data": self.licence or _UNKNOWN,
        }
        if self.recognised:
            facts["Read from a file"] = "; ".join(self.recognised)
        return facts

    def _normalisation(self) -> list[str]:
        n = self.normalisation
        order = "blue, green, red" if n.bgr else "red, green, blue" if len(n.mean) == 3 else "grey"
        return [
            f"Channels {order}; pixels 0-255 become (x / 255 - mean) / std ({n.name};"
            f" {self.normalisation_from}):",
            "",
            f"- mean: {', '.join(f'{value:.6g}' for value in n.mean)}",
            f"- std: {', '.join(f'{value:.6g}' for value in n.std)}",
        ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def assumed(network: str, layout: str, options: Mapping[str, Any]) -> Card:
    """Returns the card of a file without one, with the normalisation of the layout's library.

    Args:
      network: Name of the network.
      layout: One of the network's layouts.
      options: Further options of `models.create`, such as widths.
    """
    normalisation = NAMED[models.spec(network).layouts[layout].normalisation]
    library = "torchvision" if layout == "torchvision" else "keras.applications"
    return Card(
        network,
        layout,
        normalisation,
        f"assumed, as {library} does it: the file does not say",
        options,
    )
