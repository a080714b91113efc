"""The task that a study makes of a data set's labels: targets, and what is done about uncertain ones.

The policies for uncertain labels are those of Irvin et al. 2019 (CheXpert), section 4. They decide what a network is trained on;
in an evaluation an uncertain label never counts, whatever the policy.
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
    "multiclass": "a third class beside negative and positive; a score is p1 / (p0 + p1) (U-MultiClass)",
    "self_trained": "counts as the probability that a network trained with 'ignore' gives it (U-SelfTrained)",
}


class Targets(NamedTuple):
    """What is asked of n images.

    Attributes:
      values: [n, t]; 0, 1 or a probability; a class for "multiclass" tasks and policies.
      weights: [n, t]; 0 where nothing is asked.
    """

    values: Float[np.ndarray, "n t"]
    weights: Float[np.ndarray, "n t"]


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be predicted from a data set's labels.

    Attributes:
      kind: "binary" (one label), "multilabel" (several 0/1 labels) or "multiclass" (one label with several values).
      labels: the names of the labels.
      threshold: "binary" only: a value is positive from here on (referable DR on the 0-4 scale: 2).
      classes: "multiclass" only: the number of values.
      policies: of `POLICIES`, one a label; () is "ignore" for all.
    """

    kind: str
    labels: tuple[str, ...]
    threshold: int = 1
    classes: int = 0
    policies: tuple[str, ...] = ()

    @property
    def widths(self) -> tuple[int, ...]:
        """Outputs of each label: the number of classes, three for the policy "multiclass", otherwise one."""
        if self.kind == "multiclass":
            return (self.classes,)
        return tuple(3 if policy == "multiclass" else 1 for policy in self._policies())

    @property
    def num_outputs(self) -> int:
        """Outputs that the network's head needs."""
        return sum(self.widths)

    def _policies(self) -> tuple[str, ...]:
        return self.policies or ("ignore",) * len(self.labels)

    def targets(
        self, labels: Mapping[str, Int[np.ndarray, " n"]], *, training: bool, predicted: Mapping[str, Float[np.ndarray, " n"]] | None = None
    ) -> Targets:
        """The targets of n images.

        Args:
          labels: label -> values.
          training: uncertain labels follow their policies; otherwise they do not count.
          predicted: label -> probability of being positive, for the labels whose policy is "self_trained".
        """
        columns, weights = [], []
        for label, policy in zip(self.labels, self._policies(), strict=True):
            found = labels[label]
            uncertain = found == UNCERTAIN
            value = np.where(found >= self.threshold, 1.0, 0.0) if self.kind == "binary" else np.maximum(found, 0).astype(float)
            weight = (found != MISSING) & ~uncertain
            if training and policy != "ignore":
                weight |= uncertain
                instead = predicted[label] if policy == "self_trained" and predicted is not None else {"zeros": 0, "ones": 1, "multiclass": 2}[policy]
                value = np.where(uncertain, instead, value)
            columns.append(np.where(weight, value, 0))
            weights.append(weight)
        return Targets(np.stack(columns, 1).astype(np.float32), np.stack(weights, 1).astype(np.float32))


def make(
    dataset: str, known: Mapping[str, set[int]], kind: str, labels: tuple[str, ...], threshold: int | None, uncertain: Sequence[str] = ("ignore",)
) -> Task:
    """The task, checked against the labels that the data set has and the values that they take (see `Manifest.values`).

    Args:
      dataset: its name, for errors.
      known: label -> values.
      kind: of `KINDS`.
      labels: to be predicted.
      threshold: for "binary".
      uncertain: policies: "ones" for all labels, "Edema:ones" for one.

    Raises:
      ConfigError: a label is not in the data set, or the kind, the labels and the policies do not go together.
    """
    for name in labels:
        if name not in known:
            raise ConfigError(f"data set {dataset} has no label {name!r}: {nearest(name, known)}")
    if kind not in KINDS:
        raise ConfigError(f"unknown task kind {kind!r}: {nearest(kind, KINDS)}")
    if kind != "multilabel" and len(labels) != 1:
        raise ConfigError(f"a {kind} task takes one label, not {len(labels)}: set labels to one name, or kind to 'multilabel'")
    if not labels:
        raise ConfigError("a multilabel task needs at least one label")
    for name in labels:
        if not known[name]:
            raise ConfigError(f"label {name!r} of data set {dataset} has no value in any image: choose another one")
    values = {value for name in labels for value in known[name]}
    if kind == "multilabel" and not values <= {0, 1}:
        raise ConfigError(
            f"a multilabel task takes labels of 0 and 1, but {', '.join(labels)} hold {sorted(values)}: use kind 'binary' with a threshold"
        )
    threshold = 1 if threshold is None else threshold
    if kind == "binary" and not (any(v >= threshold for v in values) and any(v < threshold for v in values)):
        raise ConfigError(f"threshold={threshold} leaves one class empty: {labels[0]} of {dataset} holds {sorted(values)}")
    chosen = policies(labels, uncertain)
    if kind == "multiclass" and chosen != ("ignore",):
        raise ConfigError(f"an uncertain value of a multiclass label can only be left out: set uncertain to ('ignore',), not {tuple(uncertain)}")
    return Task(kind, labels, threshold, max(values) + 1 if kind == "multiclass" else 0, chosen)


def policies(labels: Sequence[str], uncertain: Sequence[str]) -> tuple[str, ...]:
    """The policy of every label.

    Raises:
      ConfigError: an unknown policy or label, or two policies for the same.
    """
    general: list[str] = []
    own: dict[str, str] = {}
    for entry in uncertain:
        label, _, policy = entry.rpartition(":")
        if policy not in POLICIES:
            raise ConfigError(f"unknown policy {policy!r} for uncertain labels: {nearest(policy, POLICIES)}")
        if label and label not in labels:
            raise ConfigError(f"policy {entry!r} is for a label that is not predicted: {nearest(label, labels)}")
        if label in own or (not label and general):
            raise ConfigError(f"two policies for {f'label {label!r}' if label else 'all labels'} in {tuple(uncertain)}: give one")
        if label:
            own[label] = policy
        else:
            general.append(policy)
    return tuple(own.get(label, general[0] if general else "ignore") for label in labels)
