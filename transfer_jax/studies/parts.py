"""Which images of a data set train a repeat and which judge it: folds, subsets, and what must be there."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import rows, splits
from transfer_jax.data.task import Targets, Task


class Part(NamedTuple):
    """The images of one repeat, as positions in `Opened.records`."""

    train: Int[np.ndarray, " n"]
    val: Int[np.ndarray, " m"]


def check_patients(folder: Path, tables: Mapping[str, rows.Rows], allowed: bool) -> None:
    """Raises DataError where a patient is in several splits; warns where that is allowed.

    Args:
      folder: of the data set, for errors.
      tables: of all its splits.
      allowed: by the user.
    """
    homes = np.repeat(list(tables), [len(table) for table in tables.values()])
    shared = splits.overlap(np.concatenate([table.patients for table in tables.values()]), homes)
    if not shared:
        return
    patient, where = next(iter(shared.items()))
    found = f"{len(shared)} patients of {folder} are in several splits, patient {patient} in {' and '.join(where)}"
    if not allowed:
        raise DataError(f"{found}: prepare it by patient, or set config.data.allow_patient_overlap=True to reproduce a paper that leaked")
    logging.warning("%s: this was allowed, and what is measured on them is too good", found)


def by_fold(positions: dict[str, np.ndarray], k: int, patients: np.ndarray, strata: np.ndarray | None, seed: int) -> list[Part]:
    """One part a fold, of the images of all splits together."""
    pool = np.concatenate(list(positions.values()))
    number = splits.folds(len(pool), k, seed, patients=patients[pool], strata=None if strata is None else strata[pool])
    return [Part(pool[number != fold], pool[number == fold]) for fold in range(k)]


def asked(part: Part, subset: int | None, targets: Targets, judged: Targets, patients: np.ndarray, strata: np.ndarray | None, seed: int) -> Part:
    """The part without the images that nothing is asked of, and with `subset` training images where that is not None.

    Raises:
      ConfigError: there are fewer.
    """
    train = part.train[targets.weights[part.train].any(1)]
    val = part.val[judged.weights[part.val].any(1)]
    if subset is not None:
        if subset > len(train):
            raise ConfigError(f"config.data.subset={subset}, but there are {len(train)} training images: choose fewer")
        order = splits.nested(len(train), seed, patients=patients[train], strata=None if strata is None else strata[train])
        train = np.sort(train[order[:subset]])
    return Part(train, val)


def check_classes(folder: Path, goal: Task, targets: Targets, judged: Targets, part: Part) -> None:
    """Every class can be learned, and something can be measured."""
    for column, label in enumerate(goal.labels):
        own = part.train[targets.weights[part.train, column] != 0]
        found = set(targets.values[own, column].round().astype(int).tolist())
        missing = sorted(set(range(goal.classes or 2)) - found)
        if missing:
            raise DataError(f"{folder}: no training image has {label} = {', '.join(map(str, missing))}: choose another split, label or threshold")
    if not any(_measurable(goal, judged, part).values()):
        raise DataError(f"{folder}: the validation images hold one class only of {', '.join(goal.labels)}: no AUC can be computed on them")


def unmeasured(goal: Task, judged: Targets, parts: Sequence[Part]) -> str:
    """Says over how many labels a mean AUC is taken where some have no AUC.

    Args:
      goal: The task; a "multiclass" one has an AUC per class, that class against all others.
      judged: Targets that predictions are compared with.
      parts: One per fold, or one for all repeats.

    Returns:
      A sentence per part with such labels, or "" where every label has both classes.
    """
    what = "classes" if goal.kind == "multiclass" else "labels"
    sentences = []
    for fold, part in enumerate(parts):
        measurable = _measurable(goal, judged, part)
        missing = [name for name, both in measurable.items() if not both]
        if missing:
            where = f"In fold {fold + 1} the" if len(parts) > 1 else "The"
            count = f"{len(measurable) - len(missing)} of {len(measurable)} {what}"
            sentences.append(
                f"{where} AUC is the mean over {count}: {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} left out, since the validation images hold "
                f"one class only of {'it' if len(missing) == 1 else 'them'}."
            )
    return " ".join(sentences)


def _measurable(goal: Task, judged: Targets, part: Part) -> dict[str, bool]:
    """Returns, for each label (or class), whether the validation images hold it and its opposite."""
    columns: dict[str, bool] = {}
    for column, label in enumerate(goal.labels):
        counted = part.val[judged.weights[part.val, column] != 0]
        values = judged.values[counted, column].round().astype(int)
        if goal.kind == "multiclass":
            each = {f"{label} = {c}": values == c for c in range(goal.classes)}
        else:
            each = {label: values > 0}
        columns |= {name: bool(is_it.any() and not is_it.all()) for name, is_it in each.items()}
    return columns
