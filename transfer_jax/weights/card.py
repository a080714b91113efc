"""What travels with weights: which network they are of, how its input is made, what they were trained on and how well they did."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from transfer_jax.core.errors import CheckpointError
from transfer_jax.core.normalisation import NAMED, Normalisation

_ASSUMED = {"resnet": "caffe", "densenet": "imagenet", "inception": "minus_one_to_one"}


@dataclasses.dataclass(frozen=True)
class Card:
    """The card of a set of weights.

    Attributes:
      network: its name in `transfer_jax.models`.
      layout: "torchvision" or "keras".
      options: further options of `models.create`, such as widths.
      normalisation: of the pixels.
      normalisation_from: where that is known from.
      data: what it was trained on, in words.
      task: what its outputs are, in words.
      recipe: how it was trained, name -> value.
      metrics: name -> value.
      licence: of the data.
      recognised: what was recognised, chosen or ignored when the weights were read from another program's file, a sentence each.
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
        """As a mapping of plain values."""
        return {**dataclasses.asdict(self), "normalisation": self.normalisation.to_json()}

    @classmethod
    def from_json(cls, value: Any, where: str) -> Card:
        """From what `to_json` gave; `where` names it in the error.

        Raises:
          CheckpointError: it is not a card.
        """
        try:
            options = {name: tuple(v) if isinstance(v, list) else v for name, v in value.get("options", {}).items()}  # JSON has no tuples
            read = {"options": options, "normalisation": Normalisation.from_json(value["normalisation"])}
            recognised = value.get("recognised", ())  # cards of earlier versions have none
            if not isinstance(recognised, list | tuple):
                raise TypeError(f"{recognised!r} is not a list of texts")
            card = cls(**{**value, **read, "recognised": tuple(recognised)})
            texts = (card.network, card.layout, card.data, card.task, card.licence, card.normalisation_from)
            for text in (*texts, *card.recognised):
                if not isinstance(text, str):
                    raise TypeError(f"{text!r} is not a text")
            for mapping in (card.options, card.recipe, card.metrics):
                if not isinstance(mapping, Mapping):
                    raise TypeError(f"{mapping!r} is not a mapping")
            return card
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{where} is not a card of this program ({str(error)[:200]}): take it away, or export the weights again") from error

    def to_markdown(self, outputs: int | None, parameters: int) -> str:
        """The model card of a hub: YAML front matter and sections in Markdown."""
        n = self.normalisation
        unknown = "not stated"
        order = "blue, green, red" if n.bgr else "red, green, blue" if len(n.mean) == 3 else "grey"
        lines = ["---", "library_name: timm", "tags:", "- medical-imaging", "- transfer-learning", "- image-classification", "---", ""]
        lines += [f"# {self.network}", "", "Trained and exported by transfer_jax.", ""]
        lines += ["| | |", "| --- | --- |"]
        facts = {
            "Network": f"{self.network}, layout {self.layout}{''.join(f', {k}={v}' for k, v in self.options.items())}",
            "Parameters": f"{parameters:,}",
            "Outputs": f"{outputs}{': ' + self.task if self.task else ''}" if outputs else "none: features alone",
            "Data": self.data or unknown,
            "Licence of the data": self.licence or unknown,
        }
        if self.recognised:
            facts["Read from a file"] = "; ".join(self.recognised)
        lines += [f"| {key} | {_cell(value)} |" for key, value in facts.items()]
        lines += [
            "",
            "## Normalisation",
            "",
            f"Channels {order}; pixels 0-255 become (x / 255 - mean) / std ({n.name}; {self.normalisation_from}):",
            "",
        ]
        lines += [f"- mean: {', '.join(f'{v:.6g}' for v in n.mean)}", f"- std: {', '.join(f'{v:.6g}' for v in n.std)}"]
        lines += ["", "## Recipe", "", *([f"- {key}: {value}" for key, value in self.recipe.items()] or [unknown])]
        lines += ["", "## Metrics", "", *([f"- {key}: {value:.4f}" for key, value in self.metrics.items()] or [unknown])]
        lines += ["", "Not a medical device; for research only.", ""]
        return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def assumed(network: str, family: str, layout: str, options: Mapping[str, Any]) -> Card:
    """The card of a file that says nothing about itself."""
    name = "imagenet" if layout == "torchvision" else _ASSUMED[family]
    library = "torchvision" if layout == "torchvision" else "keras.applications"
    return Card(network, layout, NAMED[name], f"assumed, as {library} does it: the file does not say", options)
