"""What a preparation will write: its images checked and cut into shards, and the hidden folder in
which finished shards wait for the rest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core import files
from transfer_jax.core.errors import DataError
from transfer_jax.data import splits
from transfer_jax.data.items import SPLITS, Item
from transfer_jax.data.prepare import shards
from transfer_jax.data.prepare.shards import Form

SHARD_BYTES = 64 << 20
# Guesses, to cut shards of about that size: bytes of a stored image per byte of a decoded one.
_STORED = {"jpeg": 0.2, "png": 0.6, "raw": 1.0}
_PLAN = "plan.json"


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard that is to be written.

    Attributes:
      file: Name of its file.
      split: Split of its images.
      items: Its images.
    """

    file: str
    split: str
    items: list[Item]


def check(out: Path, items: Sequence[Item], allow_overlap: bool) -> int:
    """Checks what can be known before any image is read.

    Args:
      out: Folder of the data set, which must not exist.
      items: The images.
      allow_overlap: Whether a patient may be in several splits.

    Returns:
      The number of patients in several splits.

    Raises:
      DataError: The folder exists, there are no images, a split is unknown, a name comes
        twice, images have different labels, or a patient is in two splits.
    """
    if out.exists():
        raise DataError(f"{out} exists already: choose another --out, or remove it first")
    counts = Counter(item.split for item in items)
    if not counts:
        raise DataError("there are no images to write: compare the raw folder with the set's card")
    for split in counts:
        if split not in SPLITS:
            raise DataError(
                f"an image is in the split {split!r}: it must be one of {', '.join(SPLITS)}"
            )
    for name, count in Counter(item.id for item in items).items():
        if count > 1:
            raise DataError(f"image {name} comes {count} times: names must be unique")
    for item in items:
        if set(item.labels) != set(items[0].labels):
            raise DataError(
                f"image {item.id} has the labels {', '.join(item.labels)}, image {items[0].id} has"
                f" {', '.join(items[0].labels)}"
            )
    shared = splits.overlap([item.patient for item in items], [str(item.split) for item in items])
    if shared and not allow_overlap:
        patient, homes = next(iter(shared.items()))
        raise DataError(
            f"{len(shared)} patients are in two splits, patient {patient} in"
            f" {' and '.join(homes)}: a patient belongs to one (--allow_patient_overlap is there"
            " to reproduce papers that leaked)"
        )
    return len(shared)


def cut(name: str, items: Sequence[Item], form: Form) -> list[Shard]:
    """Cuts the images of every split into shards of about `SHARD_BYTES`.

    Args:
      name: Name of the data set, with which the files begin.
      items: The images.
      form: How they are written.
    """
    most = max(1, int(SHARD_BYTES / (_STORED[form.encoding] * form.size**2 * form.channels)))
    plan = []
    for split in SPLITS:
        in_split = [item for item in items if item.split == split]
        count = -(-len(in_split) // most)
        parts = np.array_split(np.arange(len(in_split)), count) if count else []
        for number, part in enumerate(parts):
            file = f"{name}-{split}.tfrecord-{number:05d}-of-{count:05d}"
            plan.append(Shard(file, split, [in_split[i] for i in part]))
    return plan


@contextlib.contextmanager
def unfinished(
    out: Path, plan: Sequence[Shard], form: Form, source: Mapping[str, Any]
) -> Iterator[Path]:
    """Yields the hidden folder in which shards collect; it becomes `out` at the end.

    Args:
      out: Folder of the data set.
      plan: The shards.
      form: How their images are written.
      source: Where the images come from, as the manifest says it.

    Raises:
      DataError: The hidden folder holds other shards, cannot be written, or the disk is full.
    """
    folder = out.with_name(f".{out.name}.unfinished")
    digest = json.dumps(_digest(plan, form, source))
    if (folder / _PLAN).is_file() and (folder / _PLAN).read_bytes() != digest.encode():
        raise DataError(
            f"{folder} holds an unfinished preparation of other images or options: repeat that"
            " command, or remove the folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(folder / _PLAN, digest)
        yield folder
        for path in (folder / _PLAN, *(shards.report_of(folder / shard.file) for shard in plan)):
            path.unlink()
        os.rename(folder, out)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"cannot write to {folder} ({error.strerror}): choose another --out"
            ) from error
        raise DataError(
            f"the disk is full: finished shards are kept in {folder}; make room and repeat the"
            " command"
        ) from error
    except DataError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _digest(plan: Sequence[Shard], form: Form, source: Mapping[str, Any]) -> str:
    """Returns a digest of what the shards will hold, as far as that is known before the images are
    read.

    The source counts, too: the same images may exist in several sizes.
    """
    digest = hashlib.sha256(repr((form, json.dumps(source, sort_keys=True))).encode())
    for shard in plan:
        digest.update(shard.file.encode())
        for item in shard.items:
            told = (item.id, item.patient, item.study, sorted(item.labels.items()))
            digest.update(repr((*told, list(item.columns.items()))).encode())
    return digest.hexdigest()
