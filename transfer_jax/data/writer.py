"""Rows to a prepared folder: TFRecord shards, a manifest, and the two files that tensorflow-datasets reads."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from transfer_jax.core import files
from transfer_jax.core.errors import DataError
from transfer_jax.data import examples, images, tfrecord
from transfer_jax.data.spec import MANIFEST, Manifest, Row

SHARD_BYTES = 128 << 20


class _Split:
    """The shards of one split while they are written; their number is known, and put into their names, at the end."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.shards: list[dict[str, Any]] = []
        self.file: BinaryIO | None = None
        self.patients: set[str] = set()

    def add(self, payload: bytes, patient: str) -> None:
        if self.file is not None and self.file.tell() + len(payload) > SHARD_BYTES:
            self._close()
        if self.file is None:
            self.file = open(self.folder / f"{self.name}.{len(self.shards)}.part", "wb")
            self.shards.append({"records": 0})
        tfrecord.write_record(self.file, payload)
        self.shards[-1]["records"] += 1
        self.patients.add(patient)

    def _close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None

    def finish(self, dataset: str) -> dict[str, Any]:
        self._close()
        for number, shard in enumerate(self.shards):
            part = self.folder / f"{self.name}.{number}.part"
            target = part.rename(self.folder / f"{dataset}-{self.name}.tfrecord-{number:05d}-of-{len(self.shards):05d}")
            with open(target, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            shard.update(file=target.name, bytes=target.stat().st_size, sha256=digest)
        return {"records": sum(s["records"] for s in self.shards), "patients": len(self.patients), "shards": self.shards}


class _Moments:
    """Mean and standard deviation per channel, from sums of integers: exact, in any order."""

    def __init__(self) -> None:
        self.count, self.sum, self.squares = 0, np.zeros(1, np.int64), np.zeros(1, np.int64)

    def add(self, image: np.ndarray) -> None:
        values = image.reshape(-1, image.shape[-1]).astype(np.int64)
        self.count += len(values)
        self.sum, self.squares = self.sum + values.sum(0), self.squares + (values * values).sum(0)

    def finish(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        mean = self.sum / self.count
        std = np.sqrt(np.maximum(self.squares / self.count - mean**2, 1.0))  # a constant image still divides
        return tuple((mean / 255).tolist()), tuple((std / 255).tolist())


def write(
    out: str | Path, name: str, rows: Iterable[Row], *, encoding: str, source: dict[str, Any], label_names: Mapping[str, Any] | None = None
) -> Manifest:
    """Writes a data set to the folder `out`, whole or not at all.

    Args:
      out: a folder that does not exist yet.
      name: letters, digits and underscores; the files begin with it.
      rows: the images, all of one shape and with the same labels.
      encoding: "png" or "jpeg".
      source: kept in the manifest.
      label_names: label -> names of its values, for labels that were words.

    Raises:
      DataError: the folder exists, there are no training images, a name comes twice, or a patient is in two splits.
    """
    out = Path(out)
    if out.exists():
        raise DataError(f"{out} exists already: choose another --out, or remove it first")
    splits: dict[str, _Split] = {}
    counts: dict[str, dict[str, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    homes: dict[str, str] = {}
    seen: set[str] = set()
    moments, shape = _Moments(), (0, 0, 0)
    with files.directory(out) as folder:
        for row in rows:
            if row.id in seen:
                raise DataError(f"image {row.id} comes twice: names must be unique")
            seen.add(row.id)
            if homes.setdefault(row.patient, row.split) != row.split:
                raise DataError(
                    f"patient {row.patient} is in two splits, {homes[row.patient]} and {row.split} (image {row.id}): a patient belongs to one"
                )
            shape = row.image.shape
            labels = {label: int(value) for label, value in row.labels.items()}
            payload = examples.serialize(examples.Example(images.encode(row.image, encoding), row.id, row.patient, labels))
            splits.setdefault(row.split, _Split(folder, row.split)).add(payload, row.patient)
            for label, value in labels.items():
                counts[label][row.split][value] += 1
            if row.split == "train":
                moments.add(row.image)
        if "train" not in splits:
            raise DataError(f"no image is in the split 'train' (splits found: {', '.join(splits) or 'none'}): nothing to train on")
        mean, std = moments.finish()
        names = label_names or {}
        manifest = Manifest(
            name=name,
            height=shape[0],
            width=shape[1],
            channels=shape[2],
            encoding=encoding,
            mean=mean,
            std=std,
            labels={
                label: {
                    "counts": {split: {str(v): n for v, n in sorted(values.items())} for split, values in by_split.items()},
                    "names": names.get(label),
                }
                for label, by_split in counts.items()
            },
            splits={split: state.finish(name) for split, state in splits.items()},
            source=source,
        )
        examples.write_tfds_files(folder, manifest)
        (folder / MANIFEST).write_text(manifest.to_json())
    return manifest
