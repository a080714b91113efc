"""Trained networks applied to stored images, which each normalises as its card says."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from transfer_jax import models, weights
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import Normalisation
from transfer_jax.data import augment
from transfer_jax.data.storage.manifest import Manifest
from transfer_jax.losses import classification
from transfer_jax.weights import Card

# Entry of a card's recipe: label -> names of its values, for labels whose values have names.
VALUE_NAMES = "value_names"


class Form(NamedTuple):
    """A network apart from its weights; networks of one form share compiled programs.

    Attributes:
      network: Name of the network.
      layout: Layout of `models.create`.
      options: Further options of `models.create`, as (name, value) pairs.
      normalisation: Normalisation of the pixels.
      channels: Number of channels of the input.
    """

    network: str
    layout: str
    options: tuple[tuple[str, Any], ...]
    normalisation: Normalisation
    channels: int

    def create(self, outputs: int) -> Any:
        """Returns the Flax module with this many outputs."""
        return models.create(self.network, outputs, self.layout, **dict(self.options))

    def images(self, raw: Array) -> Array:
        """Returns uint8 images [b, h, w, 1 or 3] as the network takes them."""
        return augment.normalise(raw, self.normalisation, self.channels)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What a network predicts.

    Attributes:
      kind: Kind of the task: "binary", "multilabel" or "multiclass".
      labels: Names of the labels.
      count: Number of outputs of the head: one per label, or one per class of the only label.
      threshold: "binary" only: the label is positive from this value on; None where the card does
        not say.
      value_names: (label, names of its values in the order of their numbers), for the labels whose
        values have names.
    """

    kind: str
    labels: tuple[str, ...]
    count: int
    threshold: int | None
    value_names: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def described(self) -> str:
        """Returns the task in words."""
        start = f" from {self.threshold} on" if self.threshold is not None else ""
        classes = f" ({self.count} classes)" if self.kind == "multiclass" else ""
        labels = (
            f"{label} ({', '.join(names)})" if (names := self.names_of(label)) else label
            for label in self.labels
        )
        return f"{self.kind}: {', '.join(labels)}{start}{classes}"

    def check_values(self, values: Collection[int]) -> None:
        """Checks that the values of labels can be compared with what is predicted.

        Args:
          values: Values that the labels take in a data set.

        Raises:
          ConfigError: It is not known from which value on a label is positive, or there are more
            classes than the network tells apart.
        """
        highest = max(values, default=0)
        if self.kind == "binary" and self.threshold is None and highest > 1:
            raise ConfigError(
                f"the cards do not say from which value of {self.labels[0]} on it is positive"
            )
        if self.kind == "multiclass" and highest >= self.count:
            raise ConfigError(
                f"the networks tell {self.count} classes of {self.labels[0]} apart, and the data "
                f"set has values up to {highest}"
            )

    def names_of(self, label: str) -> tuple[str, ...]:
        """Returns the names of a label's values; () where they have none."""
        return dict(self.value_names).get(label, ())

    def same(self, other: Outputs) -> bool:
        """Whether two networks predict the same; values without names may be any others'."""
        both = dict(self.value_names).keys() & dict(other.value_names).keys()
        bare = (dataclasses.replace(one, value_names=()) for one in (self, other))
        return operator.eq(*bare) and all(self.names_of(n) == other.names_of(n) for n in both)

    def names(self) -> list[str]:
        """Returns a name per output: the label's, or "label=class"."""
        return output_names(self.kind, self.labels, self.count)


def output_names(kind: str, labels: tuple[str, ...], classes: int) -> list[str]:
    """Returns a name per score of a task: the label's, or "label=class" of a multiclass task."""
    if kind == "multiclass":
        return [f"{labels[0]}={i}" for i in range(classes)]
    return list(labels)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network with weights.

    Attributes:
      where: Where the weights are from, for messages.
      network: Name of the network.
      variables: Variables with or without a head.
      card: Card of the weights.
    """

    where: str
    network: str
    variables: Any
    card: Card

    @property
    def form(self) -> Form:
        """The network apart from its weights."""
        return Form(
            self.network,
            self.card.layout,
            tuple(sorted(self.card.options.items())),
            self.card.normalisation,
            int(models.first_kernel(self.variables["params"]).shape[2]),
        )

    def outputs(self) -> Outputs:
        """Returns what the network predicts, according to its card.

        Raises:
          ConfigError: The network has no head, or the card does not say what the outputs are.
        """
        params = self.variables["params"]
        if models.HEAD not in params:
            raise ConfigError(f"{self.where} has no head: nothing can be predicted with it")
        count = int(jax.tree.leaves(params[models.HEAD])[0].shape[-1])
        kind, _, text = self.card.task.partition(": ")
        labels = tuple(text.split(", ")) if text else ()
        fits = {
            "multiclass": len(labels) == 1,
            "binary": len(labels) == count,
            "multilabel": len(labels) == count,
        }
        if not fits.get(kind, False):
            raise ConfigError(
                f"{self.where}: its card does not say what its {count} outputs are "
                f"({self.card.task!r}): weights of a study with one output per label do"
            )
        recipe = self.card.recipe
        named = recipe.get(VALUE_NAMES, {})
        if not isinstance(named, Mapping) or not all(map(_are_names, named.values())):
            raise ConfigError(f"{self.where}: its card's {VALUE_NAMES} are not lists of names")
        return Outputs(
            kind=kind,
            labels=labels,
            count=count,
            threshold=recipe.get("threshold"),
            value_names=tuple((label, tuple(named[label])) for label in sorted(named)),
        )

    def check_images(self, folder: object, manifest: Manifest) -> None:
        """Raises ConfigError where the network cannot take the images of a data set."""
        channels, least = self.form.channels, models.least_side(self.network)
        if manifest.channels > channels:
            raise ConfigError(
                f"{folder} has images of {manifest.channels} channels, "
                f"{self.where} takes {channels}"
            )
        if min(manifest.height, manifest.width) < least:
            raise ConfigError(
                f"images of {folder} are {manifest.height} x {manifest.width} pixels; "
                f"{self.network} needs at least {least}"
            )


def _are_names(names: Any) -> bool:
    return isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)


def read(path: str, network: str) -> Trained:
    """Reads weights from a file or folder; raises what `weights.read` raises."""
    loaded = weights.read(path, network)
    return Trained(str(path), network, loaded.variables, loaded.card)


def stages(form: Form) -> Callable[[Any, Array], dict[str, Array]]:
    """Returns the function from variables and stored images to the activations of every stage.

    Args:
      form: Form of the networks.

    Returns:
      (variables, images [b, h, w, 1 or 3] uint8) -> stage -> [b, h, w, c]. The head plays no part.
    """
    headless = tuple((name, value) for name, value in form.options if name != "hidden")
    module = form._replace(options=headless).create(1)
    shapes = models.shapes(module, models.least_side(form.network), form.channels)
    head_shapes = shapes["params"][models.HEAD]

    def apply(variables: Any, raw: Array) -> dict[str, Array]:
        body = models.without(variables, models.HEADS)
        head = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), head_shapes)
        whole = {**body, "params": {**body["params"], models.HEAD: head}}
        _, activations = module.apply(whole, form.images(raw), train=False)
        return activations

    return apply


def scores(form: Form, outputs: Outputs) -> Callable[[Any, Array], Array]:
    """Returns the compiled function (variables, uint8 images [b, h, w, c]) -> log-odds [b, s]."""
    module = form.create(outputs.count)

    @jax.jit
    def apply(variables: Any, raw: Array) -> Array:
        logits, _ = module.apply(variables, form.images(raw), train=False)
        return classification.scores(outputs.kind, logits)

    return apply
