"""The task that a study makes of a data set's labels: targets, and policies for uncertain labels.

The policies are those of Irvin et al. 2019 (CheXpert), section 4. They decide what a network is
trained on; in an evaluation an uncertain label never counts, whatever the policy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from transfer_jax.core.errors import ConfigError
from transfer_jax.core.names import nearest
from transfer_jax.data.items import MISSING, UNCERTAIN

KINDS = ("binary", "multilabel", "multiclass")
POLICIES = {
    "ignore": "the label's loss is left out (U-Ignore)",
    "zeros": "counts as negative (U-Zeros)",
    "ones": "counts as positive (U-Ones)",
    "multiclass": (
        "a third class beside negative and positive; a score is p1 / (p0 + p1) (U-MultiClass)"
    ),
    "self_trained": (
        "counts as the probability that a network trained with 'ignore' gives it (U-SelfTrained)"
    ),
}


class Targets(NamedTuple):
    """Targets of n images.

    Attributes:
      values: 0, 1 or a probability; a class for "multiclass" tasks and policies, [n, t].
      weights: Weight of each target, 0 where it does not count, [n, t].
    """

    values: Float[np.ndarray, "n t"]
    weights: Float[np.ndarray, "n t"]

    def columns(self) -> dict[str, np.ndarray]:
        """Returns the targets as columns of a host batch."""
        return {"targets": self.values, "weights": self.weights}


@dataclasses.dataclass(frozen=True)
class Task:
    """What is predicted from a data set's labels.

    Attributes:
      kind: "binary" (one label), "multilabel" (several 0/1 labels) or "multiclass" (one label with
        several values).
      labels: Names of the labels.
      threshold: "binary" only: a value is positive from here on (referable DR on the 0-4 scale:
        2).
      classes: "multiclass" only: the number of values.
      policies: Policies of `POLICIES`, one per label; () is "ignore" for all.
    """

    kind: str
    labels: tuple[str, ...]
    threshold: int = 1
    classes: int = 0
    policies: tuple[str, ...] = ()

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of outputs per label: the number of classes, three for the policy "multiclass",
        otherwise one.
        """
        if self.kind == "multiclass":
            return (self.classes,)
        return tuple(3 if policy == "multiclass" else 1 for policy in self._policies())

    @property
    def num_outputs(self) -> int:
        """Number of outputs that the network's head needs."""
        return sum(self.widths)

    def _policies(self) -> tuple[str, ...]:
        return self.policies or ("ignore",) * len(self.labels)

    def targets(
        self,
        labels: Mapping[str, Int[np.ndarray, " n"]],
        *,
        training: bool,
        predicted: Mapping[str, Float[np.ndarray, " n"]] | None = None,
    ) -> Targets:
        """Returns the targets of n images.

        Args:
          labels: Label -> values.
          training: Whether uncertain labels follow their policies; otherwise they do not count.
          predicted: Label -> probability of being positive, for the labels whose policy is
            "self_trained".
        """
        columns, weights = [], []
        for label, policy in zip(self.labels, self._policies(), strict=True):
            values = labels[label]
            uncertain = values == UNCERTAIN
            target = (
                np.where(values >= self.threshold, 1.0, 0.0)
                if self.kind == "binary"
                else np.maximum(values, 0).astype(float)
            )
            weight = (values != MISSING) & ~uncertain
            if training and policy != "ignore":
                weight |= uncertain
                substitute = (
                    predicted[label]
                    if policy == "self_trained" and predicted is not None
                    else {"zeros": 0, "ones": 1, "multiclass": 2}[policy]
                )
                target = np.where(uncertain, substitute, target)
            columns.append(np.where(weight, target, 0))
            weights.append(weight)
        return Targets(
            np.stack(columns, 1).astype(np.float32), np.stack(weights, 1).astype(np.float32)
        )


def make(
    dataset: str,
    known: Mapping[str, set[int]],
    kind: str,
    labels: tuple[str, ...],
    threshold: int | None,
    uncertain: Sequence[str] = ("ignore",),
) -> Task:
    """Returns a task, checked against the labels of a data set.

    Args:
      dataset: Name of the data set, for messages.
      known: Label -> values that it takes, see `Manifest.values`.
      kind: One of `KINDS`.
      labels: Labels to predict.
      threshold: Threshold of "binary".
      uncertain: Policies: "ones" for all labels, "Edema:ones" for one.

    Raises:
      ConfigError: A label is not in the data set, or the kind, the labels and the policies
        contradict each other.
    """
    _check_labels(dataset, known, kind, labels)
    values = {value for name in labels for value in known[name]}
    threshold = 1 if threshold is None else threshold
    _check_values(dataset, kind, labels, values, threshold)
    label_policies = policies(labels, uncertain)
    if kind == "multiclass" and label_policies != ("ignore",):
        raise ConfigError(
            "an uncertain value of a multiclass label can only be left out: set uncertain to"
            f" ('ignore',), not {tuple(uncertain)}"
        )
    classes = max(values) + 1 if kind == "multiclass" else 0
    return Task(kind, labels, threshold, classes, label_policies)


def _check_labels(
    dataset: str, known: Mapping[str, set[int]], kind: str, labels: tuple[str, ...]
) -> None:
    """Checks that the data set has the labels, and that they are as many as the kind takes."""
    for name in labels:
        if name not in known:
            raise ConfigError(f"data set {dataset} has no label {name!r}: {nearest(name, known)}")
    if kind not in KINDS:
        raise ConfigError(f"unknown task kind {kind!r}: {nearest(kind, KINDS)}")
    if kind != "multilabel" and len(labels) != 1:
        raise ConfigError(
            f"a {kind} task takes one label, not {len(labels)}: set labels to one name, or kind to"
            " 'multilabel'"
        )
    if not labels:
        raise ConfigError("a multilabel task needs at least one label")
    for name in labels:
        if not known[name]:
            raise ConfigError(
                f"label {name!r} of data set {dataset} has no value in any image: choose"
                " another one"
            )


def _check_values(
    dataset: str, kind: str, labels: tuple[str, ...], values: set[int], threshold: int
) -> None:
    """Checks that the values of the labels are those of the kind, in two classes at least."""
    if kind == "multilabel" and not values <= {0, 1}:
        raise ConfigError(
            f"a multilabel task takes labels of 0 and 1, but {', '.join(labels)} hold"
            f" {sorted(values)}: use kind 'binary' with a threshold"
        )
    positive = {value >= threshold for value in values}
    if kind == "binary" and positive != {False, True}:
        raise ConfigError(
            f"threshold={threshold} leaves one class empty: {labels[0]} of {dataset} holds"
            f" {sorted(values)}"
        )


def policies(labels: Sequence[str], uncertain: Sequence[str]) -> tuple[str, ...]:
    """Returns the policy of every label.

    Args:
      labels: Names of the labels.
      uncertain: Policies: "ones" for all labels, "Edema:ones" for one.

    Raises:
      ConfigError: A policy or a label is unknown, or there are two policies for one label.
    """
    for_all: list[str] = []
    for_label: dict[str, str] = {}
    for entry in uncertain:
        label, _, policy = entry.rpartition(":")
        if policy not in POLICIES:
            raise ConfigError(
                f"unknown policy {policy!r} for uncertain labels: {nearest(policy, POLICIES)}"
            )
        if label and label not in labels:
            raise ConfigError(
                f"policy {entry!r} is for a label that is not predicted: {nearest(label, labels)}"
            )
        if label in for_label or (not label and for_all):
            raise ConfigError(
                f"two policies for {f'label {label!r}' if label else 'all labels'} in"
                f" {tuple(uncertain)}: give one"
            )
        if label:
            for_label[label] = policy
        else:
            for_all.append(policy)
    default = for_all[0] if for_all else "ignore"
    return tuple(for_label.get(label, default) for label in labels)
