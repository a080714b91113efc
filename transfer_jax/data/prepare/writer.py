"""From listed images to a prepared folder: TFRecord shards, tables of rows, a manifest, and the
files that tensorflow-datasets reads.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from transfer_jax.core import files
from transfer_jax.core.errors import DataError
from transfer_jax.data.items import Item
from transfer_jax.data.prepare import originals, shard_plan, shards
from transfer_jax.data.prepare.shard_plan import Shard
from transfer_jax.data.prepare.shards import Form, Report
from transfer_jax.data.storage import examples, rows, tfrecord
from transfer_jax.data.storage.manifest import MANIFEST, Manifest


class _Written(NamedTuple):
    """A shard and what became of it."""

    shard: Shard
    report: Report

    @property
    def kept(self) -> list[Item]:
        return [self.shard.items[i] for i in self.report.kept]


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
    """Writes a data set to the folder `out` atomically.

    Meanwhile, finished shards lie in a hidden folder beside `out`. When the writing is interrupted
    or the disk is full they stay, and the same call resumes from there; any other error removes
    them.

    Args:
      out: A folder that does not exist yet.
      name: Letters, digits and underscores; the files begin with it.
      items: The images, all with a split and with the same labels; their columns are written.
      form: How they are written.
      source: Kept in the manifest; its list "notes" gets a note where images of more than 8 bits
        come out dark.
      names: Label -> names of its values, for labels that were words.
      most_rejected: Share of the images that may be missing or unreadable; they are left out and
        listed in the manifest.
      allow_overlap: Whether a patient may be in several splits.
      workers: Number of threads that decode; by default one per core.
      progress: Called with a number of images that are done.

    Raises:
      DataError: The folder exists, there are no images, a name comes twice, a patient is
        in two splits, too many images are rejected, another preparation was left unfinished, or
        the disk is full.
    """
    out = Path(out)
    overlap = shard_plan.check(out, items, allow_overlap)
    plan = shard_plan.cut(name, items, form)
    originals.preload(item.image for item in items)
    with (
        shard_plan.unfinished(out, plan, form, source) as folder,
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
    ):
        written = _write_shards(folder, plan, form, pool, most_rejected, progress)
        manifest = _finish(folder, name, written, form, overlap, source, names or {})
        examples.write_tfds_files(folder, manifest)
        files.write(folder / MANIFEST, manifest.to_json())
    return manifest


def _write_shards(
    folder: Path,
    plan: Sequence[Shard],
    form: Form,
    pool: ThreadPoolExecutor,
    most_rejected: float,
    progress: Callable[[int], Any],
) -> list[_Written]:
    """Writes the shards that an earlier run has not finished; raises DataError where more than the
    share `most_rejected` of all images is rejected.
    """
    total = sum(len(shard.items) for shard in plan)
    rejected = 0

    def count(problem: DataError | None) -> None:
        nonlocal rejected
        rejected += problem is not None
        if problem is not None and rejected > most_rejected * total:
            raise DataError(
                f"{problem}; {rejected} of {total} images rejected so far, allowed are"
                f" {most_rejected:.1%}: replace them, take them out, or raise --max_rejected"
            )
        progress(1)

    written = []
    for shard in plan:
        report = shards.finished(folder / shard.file)
        if report is None:
            report = shards.write(folder / shard.file, shard.items, form, pool, count)
        else:
            rejected += len(report.rejected)
            progress(len(shard.items))
        written.append(_Written(shard, report))
    return written


def _finish(
    folder: Path,
    name: str,
    written: Sequence[_Written],
    form: Form,
    overlap: int,
    source: dict[str, Any],
    names: Mapping[str, Sequence[str]],
) -> Manifest:
    """Writes the tables of rows and returns the manifest."""
    by_split: dict[str, list[_Written]] = {}
    for each in written:
        by_split.setdefault(each.shard.split, []).append(each)
    if not any(each.kept for each in by_split.get("train", written)):
        raise DataError(f"no {'training ' if 'train' in by_split else ''}image could be read")
    note = originals.note_on_range([reach for each in written for reach in each.report.reaches])
    if note:
        source = source | {"notes": [*source.get("notes", []), note]}
    mean, std = _normalisation(by_split["train"]) if "train" in by_split else ((), ())
    items = [item for each in written for item in each.shard.items]
    has_studies = any(item.study is not None for item in items)
    columns = list(dict.fromkeys(name for item in items for name in item.columns))
    return Manifest(
        name=name,
        height=form.size,
        width=form.size,
        channels=form.channels,
        encoding=form.encoding,
        mean=mean,
        std=std,
        labels={
            label: {
                "counts": {split: _counts(label, part) for split, part in by_split.items()},
                "names": list(names[label]) if label in names else None,
            }
            for label in written[0].shard.items[0].labels
        },
        splits={
            split: _write_split(folder, split, part, has_studies, columns)
            for split, part in by_split.items()
        },
        rejected=[entry for each in written for entry in each.report.rejected],
        overlap=overlap,
        source=source,
    )


def _write_split(
    folder: Path,
    split: str,
    written: Sequence[_Written],
    has_studies: bool,
    columns: Sequence[str],
) -> dict[str, Any]:
    """Writes the table of a split's rows and returns the split's entry in the manifest."""
    kept = [item for each in written for item in each.kept]
    labels = {
        label: [int(item.labels[label]) for item in kept]
        for label in written[0].shard.items[0].labels
    }
    table = rows.text(
        [item.id for item in kept],
        [item.patient for item in kept],
        labels,
        [item.study or item.id for item in kept] if has_studies else None,
        {name: [item.columns.get(name, "") for item in kept] for name in columns},
    )
    files.write(folder / f"{split}.csv", table)
    return {
        "records": len(kept),
        "patients": len({item.patient for item in kept}),
        "rows": {
            "file": f"{split}.csv",
            "sha256": hashlib.sha256(table.encode()).hexdigest(),
            **({"studies": True} if has_studies else {}),
            **({"columns": list(columns)} if columns else {}),
        },
        "shards": [_shard_entry(folder, each) for each in written],
    }


def _shard_entry(folder: Path, written: _Written) -> dict[str, Any]:
    """Returns the manifest's entry of a shard, which tells other records from these at opening."""
    return {
        "file": written.shard.file,
        "records": len(written.report.kept),
        "bytes": written.report.bytes,
        "sha256": written.report.sha256,
        "index_sha256": tfrecord.index(folder / written.shard.file).digest,
    }


def _counts(label: str, written: Sequence[_Written]) -> dict[str, int]:
    """Returns how often each value of a label occurs, in the order of the values."""
    values = Counter(int(item.labels[label]) for each in written for item in each.kept)
    return {str(value): count for value, count in sorted(values.items())}


def _normalisation(training: Sequence[_Written]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns mean and standard deviation of the training images' channels, in 0..1."""
    moments = [each.report.moments for each in training]
    pixels = sum(count for count, _, _ in moments)
    mean = np.sum([total for _, total, _ in moments], axis=0) / pixels
    variance = np.sum([squares for _, _, squares in moments], axis=0) / pixels - mean**2
    std = np.sqrt(np.maximum(variance, 1.0))  # images of one value must not divide by zero
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())
