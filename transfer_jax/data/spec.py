"""What a prepared data set is: its manifest, and the task that a study makes of its labels."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from transfer_jax.core import normalisation
from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.core.names import nearest
from transfer_jax.core.normalisation import Normalisation

MANIFEST = "manifest.json"
FORMAT = 1
MISSING = -1


@dataclasses.dataclass(frozen=True)
class Row:
    """One image on its way into a data set.

    Attributes:
      id: its name, unique in the data set.
      patient: whom it shows; a patient is in one split only.
      split: "train", "val" or "test".
      labels: integer labels; `MISSING` where the table has no value.
      image: uint8 [h, w, c], 0-255.
    """

    id: str
    patient: str
    split: str
    labels: Mapping[str, int]
    image: np.ndarray


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is in a prepared folder; written as manifest.json.

    Attributes:
      name: the data set's name, which its files begin with.
      height: pixels.
      width: pixels.
      channels: 1 (grey) or 3 (RGB).
      encoding: "png" or "jpeg".
      mean: per channel, over the training split, in 0..1.
      std: the same.
      labels: label -> {"counts": {split: {value: images}}, "names": names of the values or None}.
      splits: split -> {"records", "patients", "shards": [{"file", "records", "bytes", "sha256"}]}.
      source: where the images came from, as the user gave it.
    """

    name: str
    height: int
    width: int
    channels: int
    encoding: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: dict[str, Any]
    splits: dict[str, Any]
    source: dict[str, Any]

    def normalisation(self) -> Normalisation:
        """The set's own mean and standard deviation."""
        return Normalisation(normalisation.OWN, self.mean, self.std)

    def values(self) -> dict[str, set[int]]:
        """Label -> the values that it takes in any split; missing ones do not count."""
        return {
            name: {int(value) for counts in content["counts"].values() for value in counts if int(value) != MISSING}
            for name, content in self.labels.items()
        }

    def to_json(self) -> str:
        """The manifest as indented JSON."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def read(cls, folder: str | Path) -> Manifest:
        """The manifest of a prepared folder.

        Raises:
          DataError: the folder or its manifest is missing, unreadable, or of another format.
        """
        path = Path(folder) / MANIFEST
        if not path.is_file():
            what = f"has no {MANIFEST}" if Path(folder).is_dir() else "does not exist"
            raise DataError(f"data folder {folder} {what}: make it with python -m transfer_jax.tools.prepare, or give another path")
        try:
            fields = json.loads(path.read_text())
            version = fields.pop("format")
            if version != FORMAT:
                raise DataError(f"{path} has format {version}, this program reads {FORMAT}: prepare the data set again")
            return cls(**{**fields, "mean": tuple(fields["mean"]), "std": tuple(fields["std"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is not a manifest of this program ({error}): prepare the data set again") from error


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be predicted from a data set's labels.

    Attributes:
      kind: "binary" (one label), "multilabel" (several 0/1 labels) or "multiclass" (one label with several values).
      labels: the names of the labels.
      threshold: "binary" only: a value is positive from here on (referable DR on the 0-4 scale: 2).
      classes: "multiclass" only: the number of values.
    """

    kind: str
    labels: tuple[str, ...]
    threshold: int = 1
    classes: int = 0

    @property
    def num_outputs(self) -> int:
        """Outputs that the network's head needs."""
        return self.classes if self.kind == "multiclass" else len(self.labels)

    def targets(self, labels: Mapping[str, int]) -> tuple[Float[np.ndarray, " t"], np.ndarray]:
        """The targets of one image, float32 [t], and which of them count, bool [t]."""
        values = np.array([labels[name] for name in self.labels], np.float32)
        mask = values != MISSING
        if self.kind == "binary":
            values = (values >= self.threshold).astype(np.float32)
        return np.where(mask, values, 0).astype(np.float32), mask


def make_task(dataset: str, known: Mapping[str, set[int]], kind: str, labels: tuple[str, ...], threshold: int | None) -> Task:
    """The task, checked against the labels that the data set has and the values that they take (see `Manifest.values`).

    Raises:
      ConfigError: a label is not in the data set, or the kind and the number of labels do not go together.
    """
    for name in labels:
        if name not in known:
            raise ConfigError(f"data set {dataset} has no label {name!r}: {nearest(name, known)}")
    if kind not in ("binary", "multilabel", "multiclass"):
        raise ConfigError(f"unknown task kind {kind!r}: {nearest(kind, ('binary', 'multilabel', 'multiclass'))}")
    if kind != "multilabel" and len(labels) != 1:
        raise ConfigError(f"a {kind} task takes one label, not {len(labels)}: set labels to one name, or kind to 'multilabel'")
    if not labels:
        raise ConfigError("a multilabel task needs at least one label")
    values = {value for name in labels for value in known[name]}
    if kind == "multilabel" and not values <= {0, 1}:
        raise ConfigError(
            f"a multilabel task takes labels of 0 and 1, but {', '.join(labels)} hold {sorted(values)}: use kind 'binary' with a threshold"
        )
    threshold = 1 if threshold is None else threshold
    if kind == "binary" and not (any(v >= threshold for v in values) and any(v < threshold for v in values)):
        raise ConfigError(f"threshold={threshold} leaves one class empty: {labels[0]} of {dataset} holds {sorted(values)}")
    return Task(kind, labels, threshold, max(values) + 1 if kind == "multiclass" else 0)
