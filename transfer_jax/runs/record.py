"""Facts of a run that its tables and its report need: run.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transfer_jax.core import digest, files
from transfer_jax.core.errors import ConfigError
from transfer_jax.core.normalisation import Normalisation
from transfer_jax.data.dataset import Dataset
from transfer_jax.runs import layout


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What a report says of the data set.

    Attributes:
      name: Name of the data set.
      images: How many images train and judge a network, in words.
      validation: Number of validation images of the first repeat.
      test: Number of its test images; 0 where the set has none.
      optimistic: Whether the validation images are the test images, too.
      folds: Number of parts that the images are dealt into, 1 without folds.
      height: Height of the images, pixels.
      width: Width of the images, pixels.
      channels: Channels of the stored images.
      task: "binary", "multilabel" or "multiclass".
      labels: Names of the labels.
      threshold: A binary label is positive from this value on.
      normalisation: Normalisation of the images.
      unmeasured: Which labels the mean AUC leaves out, in words; "" where none.
    """

    name: str
    images: str
    validation: int
    test: int
    optimistic: bool
    folds: int
    height: int
    width: int
    channels: int
    task: str
    labels: tuple[str, ...]
    threshold: int
    normalisation: Normalisation
    unmeasured: str

    @classmethod
    def of(cls, dataset: Dataset) -> DataFacts:
        """Returns the facts of an opened data set."""
        manifest, task = dataset.manifest, dataset.task
        return cls(
            name=manifest.name,
            images=dataset.described(),
            validation=len(dataset.part(0).val),
            test=len(dataset.part(0).test),
            optimistic=dataset.optimistic,
            folds=len(dataset.parts),
            height=manifest.height,
            width=manifest.width,
            channels=manifest.channels,
            task=task.kind,
            labels=task.labels,
            threshold=task.threshold,
            normalisation=dataset.normalisation,
            unmeasured=dataset.unmeasured(),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inspection:
    """What the comparison of the networks was made on.

    Attributes:
      images: Number of validation images.
      left_out: Stage -> why it could not be compared.
    """

    images: int
    left_out: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """Facts of a run.

    Attributes:
      data: The data set.
      images_per_epoch: Number of images per epoch, of the repeat that has most.
      source: What arms began from, in words; "" without a source.
      machine: Hardware and versions, name -> value.
      date: Day of the last change, YYYY-MM-DD.
      seconds: Seconds that the last call of the program took; None while the study is not finished.
      inspection: What the comparison of the networks was made on; None where there was none.
    """

    data: DataFacts
    images_per_epoch: int
    source: str
    machine: Mapping[str, str]
    date: str
    seconds: float | None = None
    inspection: Inspection | None = None


def write(folder: Path, record: Record) -> None:
    """Writes run.json."""
    fields = dataclasses.asdict(record)
    fields["data"]["normalisation"] = record.data.normalisation.to_json()
    sealed = digest.seal(json.loads(json.dumps(fields)))
    files.write(folder / layout.RECORD, json.dumps(sealed, indent=2) + "\n")


def read(folder: Path) -> Record:
    """Reads run.json.

    Raises:
      ConfigError: It is missing (the study has not begun its training) or damaged.
    """
    path = folder / layout.RECORD
    if not path.is_file():
        raise ConfigError(
            f"{folder} has no {layout.RECORD}: the study has not begun its training, or an earlier "
            f"version of this program ran it; call its command again, with --workdir={folder}"
        )
    try:
        return _from_json(digest.read(path))
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be used ({error}): restore it from a copy, or call the study's command "
            f"again, with --workdir={folder}"
        ) from error


def _from_json(fields: Mapping[str, Any]) -> Record:
    data = dict(fields["data"])
    data["labels"] = tuple(data["labels"])
    data["normalisation"] = Normalisation.from_json(data["normalisation"])
    inspection = fields["inspection"]
    return Record(
        **{
            **fields,
            "data": DataFacts(**data),
            "inspection": None if inspection is None else Inspection(**inspection),
        }
    )
