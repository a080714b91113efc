"""Listed images to a prepared folder: TFRecord shards, tables of rows, a manifest, and the files that tensorflow-datasets reads."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from transfer_jax.core import files
from transfer_jax.core.errors import DataError
from transfer_jax.data import (
    examples,
    originals,
    preload,
    rows,
    shards,
    splits,
    tfrecord,
)
from transfer_jax.data.items import SPLITS, Item
from transfer_jax.data.shards import Form, Report
from transfer_jax.data.spec import MANIFEST, Manifest

SHARD_BYTES = 64 << 20
# Guesses, to cut shards of about that size: bytes of a stored image per byte of a decoded one.
_STORED = {"jpeg": 0.2, "png": 0.6, "raw": 1.0}
_PLAN = "plan.json"


@dataclasses.dataclass(frozen=True)
class _Shard:
    file: str
    split: str
    items: list[Item]


def write(
    out: str | Path,
    name: str,
    items: Sequence[Item],
    form: Form,
    *,
    source: dict[str, Any],
    names: Mapping[str, Sequence[str]] | None = None,
    most_rejected: float = 0.0,
    allow_overlap: bool = False,
    workers: int | None = None,
    progress: Callable[[int], Any] = lambda count: None,
) -> Manifest:
    """Writes a data set to the folder `out`, whole or not at all.

    While it works, finished shards lie in a hidden folder beside `out`. When it is interrupted or the disk is full they stay, and the
    same call goes on from there; any other error removes them.

    Args:
      out: a folder that does not exist yet.
      name: letters, digits and underscores; the files begin with it.
      items: the images, all with a split and with the same labels.
      form: how they are written.
      source: kept in the manifest; its list "notes" gets a note where images of more than 8 bits come out dark.
      names: label -> names of its values, for labels that were words.
      most_rejected: share of the images that may be missing or unreadable; they are left out and listed in the manifest.
      allow_overlap: a patient may be in several splits.
      workers: threads that decode; default: one a core.
      progress: called with a number of images that are done.

    Raises:
      DataError: the folder exists, there are no training images, a name comes twice, a patient is in two splits, too many images are
        rejected, another preparation was left unfinished, or the disk is full.
    """
    out = Path(out)
    overlap = _check(out, items, allow_overlap)
    plan = _plan(name, items, form)
    preload.decoders(item.image for item in items)
    with _unfinished(out, plan, _digest(plan, form, source)) as folder, ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        rejected = 0

        def told(problem: DataError | None) -> None:
            nonlocal rejected
            rejected += problem is not None
            if problem is not None and rejected > most_rejected * len(items):
                raise DataError(
                    f"{problem}; {rejected} of {len(items)} images rejected so far, allowed are {most_rejected:.1%}: "
                    "replace them, take them out, or raise --max_rejected"
                )
            progress(1)

        reports = []
        for shard in plan:
            done = shards.finished(folder / shard.file)
            if done is None:
                done = shards.write(folder / shard.file, shard.items, form, pool, told)
            else:
                rejected += len(done.rejected)
                progress(len(shard.items))
            reports.append(done)
        manifest = _finish(folder, name, plan, reports, form, overlap, source, names or {})
        examples.write_tfds_files(folder, manifest)
        files.write(folder / MANIFEST, manifest.to_json())
    return manifest


def _check(out: Path, items: Sequence[Item], allow_overlap: bool) -> int:
    """The number of patients in several splits."""
    if out.exists():
        raise DataError(f"{out} exists already: choose another --out, or remove it first")
    found = Counter(item.split for item in items)
    if "train" not in found:
        raise DataError(f"no image is in the split 'train' (splits found: {', '.join(map(str, found)) or 'none'}): nothing to train on")
    for split in found:
        if split not in SPLITS:
            raise DataError(f"an image is in the split {split!r}: it must be one of {', '.join(SPLITS)}")
    for name, count in Counter(item.id for item in items).items():
        if count > 1:
            raise DataError(f"image {name} comes {count} times: names must be unique")
    for item in items:
        if set(item.labels) != set(items[0].labels):
            raise DataError(f"image {item.id} has the labels {', '.join(item.labels)}, image {items[0].id} has {', '.join(items[0].labels)}")
    shared = splits.overlap([item.patient for item in items], [str(item.split) for item in items])
    if shared and not allow_overlap:
        patient, homes = next(iter(shared.items()))
        raise DataError(
            f"{len(shared)} patients are in two splits, patient {patient} in {' and '.join(homes)}: a patient belongs to one "
            "(--allow_patient_overlap is there to reproduce papers that leaked)"
        )
    return len(shared)


def _plan(name: str, items: Sequence[Item], form: Form) -> list[_Shard]:
    most = max(1, int(SHARD_BYTES / (_STORED[form.encoding] * form.size**2 * form.channels)))
    plan = []
    for split in SPLITS:
        own = [item for item in items if item.split == split]
        count = -(-len(own) // most)
        for number, part in enumerate(np.array_split(np.arange(len(own)), count) if count else []):
            plan.append(_Shard(f"{name}-{split}.tfrecord-{number:05d}-of-{count:05d}", split, [own[i] for i in part]))
    return plan


@contextlib.contextmanager
def _unfinished(out: Path, plan: Sequence[_Shard], digest: str) -> Iterator[Path]:
    """The folder in which shards collect, of which `digest` says what they are; becomes `out` at the end."""
    folder = out.with_name(f".{out.name}.unfinished")
    if (folder / _PLAN).is_file() and (folder / _PLAN).read_bytes() != json.dumps(digest).encode():
        raise DataError(f"{folder} holds an unfinished preparation of other images or options: repeat that command, or remove the folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(folder / _PLAN, json.dumps(digest))
        yield folder
        for leftover in (folder / _PLAN, *(shards.report_of(folder / shard.file) for shard in plan)):
            leftover.unlink()
        os.rename(folder, out)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"cannot write to {folder} ({error.strerror}): choose another --out") from error
        raise DataError(f"the disk is full: finished shards are kept in {folder}; make room and repeat the command") from error
    except DataError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _digest(plan: Sequence[_Shard], form: Form, source: Mapping[str, Any]) -> str:
    """What the shards will hold, as far as that is known before the images are read; the same images may be there in several sizes."""
    digest = hashlib.sha256(repr((form, json.dumps(source, sort_keys=True))).encode())
    for shard in plan:
        digest.update(shard.file.encode())
        for item in shard.items:
            digest.update(repr((item.id, item.patient, sorted(item.labels.items()))).encode())
    return digest.hexdigest()


def _shard_entry(folder: Path, shard: _Shard, report: Report) -> dict[str, Any]:
    """Returns what the manifest says of a shard, by which other records are found at opening."""
    index = tfrecord.index(folder / shard.file)
    return {
        "file": shard.file,
        "records": len(report.kept),
        "bytes": report.bytes,
        "sha256": report.sha256,
        "index_sha256": index.digest,
    }


def _finish(
    folder: Path,
    name: str,
    plan: Sequence[_Shard],
    reports: Sequence[Report],
    form: Form,
    overlap: int,
    source: dict[str, Any],
    names: Mapping[str, Sequence[str]],
) -> Manifest:
    """Writes the tables of rows and makes the manifest."""
    contents: dict[str, Any] = {}
    counts: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for split in dict.fromkeys(shard.split for shard in plan):
        own = [(shard, report) for shard, report in zip(plan, reports, strict=True) if shard.split == split]
        kept = [shard.items[i] for shard, report in own for i in report.kept]
        if not kept and split == "train":
            raise DataError("no training image could be read")
        columns = {label: [int(item.labels[label]) for item in kept] for label in own[0][0].items[0].labels}
        table = rows.text([item.id for item in kept], [item.patient for item in kept], columns)
        files.write(folder / f"{split}.csv", table)
        for label, values in columns.items():
            counts[label][split] = {str(value): count for value, count in sorted(Counter(values).items())}
        contents[split] = {
            "records": len(kept),
            "patients": len({item.patient for item in kept}),
            "rows": {"file": f"{split}.csv", "sha256": hashlib.sha256(table.encode()).hexdigest()},
            "shards": [_shard_entry(folder, shard, report) for shard, report in own],
        }
    note = originals.note_on_range([reach for report in reports for reach in report.reaches])
    if note:
        source = source | {"notes": [*source.get("notes", []), note]}
    moments = [report.moments for shard, report in zip(plan, reports, strict=True) if shard.split == "train"]
    pixels = sum(count for count, _, _ in moments)
    mean = np.sum([total for _, total, _ in moments], axis=0) / pixels
    std = np.sqrt(np.maximum(np.sum([squares for _, _, squares in moments], axis=0) / pixels - mean**2, 1.0))  # a constant image still divides
    return Manifest(
        name=name,
        height=form.size,
        width=form.size,
        channels=form.channels,
        encoding=form.encoding,
        mean=tuple((mean / 255).tolist()),
        std=tuple((std / 255).tolist()),
        labels={label: {"counts": dict(by_split), "names": list(names[label]) if label in names else None} for label, by_split in counts.items()},
        splits=contents,
        rejected=[entry for report in reports for entry in report.rejected],
        overlap=overlap,
        source=source,
    )
