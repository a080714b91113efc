"""Networks with trained weights, applied to images as they are stored: each normalises them as its own card asks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from transfer_jax import models, weights
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import Normalisation
from transfer_jax.data import augment
from transfer_jax.data.spec import Manifest
from transfer_jax.losses import classification
from transfer_jax.weights import Card


class Form(NamedTuple):
    """What a network is apart from its weights; networks of one form share compiled programs.

    Attributes:
      network: its name.
      layout: of `models.create`.
      options: of `models.create`, name and value.
      normalisation: of the pixels.
      channels: that it takes.
    """

    network: str
    layout: str
    options: tuple[tuple[str, Any], ...]
    normalisation: Normalisation
    channels: int

    def create(self, outputs: int) -> Any:
        """The Flax module."""
        return models.create(self.network, outputs, self.layout, **dict(self.options))

    def images(self, raw: Array) -> Array:
        """Images [b, h, w, 1 or 3], uint8, as the network takes them."""
        return augment.normalise(raw, self.normalisation, self.channels)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What a network predicts.

    Attributes:
      kind: of the task: "binary", "multilabel" or "multiclass".
      labels: their names.
      count: outputs of the head: one a label, or one a class of the only label.
      threshold: "binary" only: the label is positive from this value on; None where the card does not say.
    """

    kind: str
    labels: tuple[str, ...]
    count: int
    threshold: int | None

    def described(self) -> str:
        """In words."""
        start = f" from {self.threshold} on" if self.threshold is not None else ""
        return f"{self.kind}: {', '.join(self.labels)}{start}" + (f" ({self.count} classes)" if self.kind == "multiclass" else "")

    def names(self) -> list[str]:
        """A name for each output: the label's, or "label=class"."""
        return [f"{self.labels[0]}={i}" for i in range(self.count)] if self.kind == "multiclass" else list(self.labels)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network with weights.

    Attributes:
      where: they are from, for people.
      network: its name.
      variables: with or without a head.
      card: of the weights.
    """

    where: str
    network: str
    variables: Any
    card: Card

    @property
    def form(self) -> Form:
        """What it is apart from its weights."""
        channels = int(models.first_kernel(self.variables["params"]).shape[2])
        return Form(self.network, self.card.layout, tuple(sorted(self.card.options.items())), self.card.normalisation, channels)

    def outputs(self) -> Outputs:
        """What the network predicts, as its card says.

        Raises:
          ConfigError: it has no head, or the card does not say what the outputs are.
        """
        params = self.variables["params"]
        if models.HEAD not in params:
            raise ConfigError(f"{self.where} has no head: nothing can be predicted with it")
        count = int(jax.tree.leaves(params[models.HEAD])[0].shape[-1])
        kind, _, text = self.card.task.partition(": ")
        labels = tuple(text.split(", ")) if text else ()
        if (kind == "multiclass" and len(labels) == 1) or (kind in ("binary", "multilabel") and len(labels) == count):
            return Outputs(kind, labels, count, self.card.recipe.get("threshold"))
        raise ConfigError(
            f"{self.where}: its card does not say what its {count} outputs are ({self.card.task!r}): weights of a study with one output a label do"
        )

    def check_images(self, folder: object, manifest: Manifest) -> None:
        """Raises ConfigError where the network cannot take the images of a data set."""
        channels, least = self.form.channels, models.least_side(self.network)
        if manifest.channels > channels:
            raise ConfigError(f"{folder} has images of {manifest.channels} channels, {self.where} takes {channels}")
        if min(manifest.height, manifest.width) < least:
            raise ConfigError(f"images of {folder} are {manifest.height} x {manifest.width} pixels; {self.network} needs at least {least}")


def read(path: str, network: str) -> Trained:
    """Weights from a file or folder; errors as of `weights.read`."""
    loaded = weights.read(path, network)
    return Trained(str(path), network, loaded.variables, loaded.card)


def stages(form: Form) -> Callable[[Any, Array], dict[str, Array]]:
    """The activations of every stage: (variables, images [b, h, w, 1 or 3] uint8) -> stage -> [b, h, w, c]; the head plays no part."""
    own = form._replace(options=tuple((name, value) for name, value in form.options if name != "hidden"))
    module = own.create(1)
    shapes = models.shapes(module, models.least_side(form.network), form.channels)["params"][models.HEAD]

    def apply(variables: Any, raw: Array) -> dict[str, Array]:
        body = models.without(variables, models.HEADS)
        head = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
        _, found = module.apply({**body, "params": {**body["params"], models.HEAD: head}}, form.images(raw), train=False)
        return found

    return apply


def scores(form: Form, outputs: Outputs) -> Callable[[Any, Array], Array]:
    """Returns the compiled function (variables, images [b, h, w, 1 or 3] uint8) -> log-odds [b, count]."""
    module = form.create(outputs.count)

    @jax.jit
    def apply(variables: Any, raw: Array) -> Array:
        logits, _ = module.apply(variables, form.images(raw), train=False)
        return classification.scores(outputs.kind, logits)

    return apply
