"""Images that train, validate and test a repeat: folds, subsets, and checks of their classes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from transfer_jax.core.errors import ConfigError, DataError
from transfer_jax.data import splits
from transfer_jax.data.storage import rows
from transfer_jax.data.task import Targets, Task

# Splits whose images are dealt into folds; test images of the set stay out of all folds.
FOLDED = ("train", "val")
# What the fold that is held out is, see `by_fold`.
HELD_OUT = ("test", "split", "both")
# Share of the images outside the fold that validate, so that they are 5 % of all images of five
# folds; share of the fold that validates where it is split, as in Juodelyte et al.'s later code.
VAL_OF_TRAINING, _VAL_OF_FOLD = 1 / 16, 1 / 4


class Part(NamedTuple):
    """The images of one repeat, as positions in `Dataset.records`.

    Attributes:
      train: Positions of the training images, [n].
      val: Positions of the validation images, [m].
      test: Positions of the test images, [k]; none where the set has no test images.
    """

    train: Int[np.ndarray, " n"]
    val: Int[np.ndarray, " m"]
    test: Int[np.ndarray, " k"]

    def judged(self) -> dict[str, Int[np.ndarray, " m"]]:
        """Returns split -> positions of the images that judge a network: "val", and "test" if any.

        Test images come first, since they are what a result is.
        """
        splits_with_images = {"test": self.test} if len(self.test) else {}
        return splits_with_images | {"val": self.val}


def check_patients(folder: Path, tables: Mapping[str, rows.Rows], allowed: bool) -> None:
    """Checks that no patient is in several splits, or warns of it where that is allowed.

    Args:
      folder: Folder of the data set, for the message.
      tables: Split -> its table.
      allowed: Whether the user allows patients in several splits.

    Raises:
      DataError: A patient is in several splits, and that is not allowed.
    """
    homes = np.repeat(list(tables), [len(table) for table in tables.values()])
    patients = np.concatenate([table.patients for table in tables.values()])
    shared = splits.overlap(patients, homes)
    if not shared:
        return
    patient, where = next(iter(shared.items()))
    problem = (
        f"{len(shared)} patients of {folder} are in several splits, "
        f"patient {patient} in {' and '.join(where)}"
    )
    if not allowed:
        raise DataError(
            f"{problem}: prepare it by patient, or set config.data.allow_patient_overlap=True to "
            "reproduce a paper that leaked"
        )
    logging.warning("%s: this is allowed here, and results measured on them are too good", problem)


def by_fold(
    positions: Mapping[str, np.ndarray],
    k: int,
    patients: np.ndarray,
    strata: np.ndarray | None,
    seed: int,
    held_out: str = HELD_OUT[0],
) -> list[Part]:
    """Deals the images of splits together into folds and returns one part per fold.

    Args:
      positions: Split -> positions of its images.
      k: Number of folds.
      patients: Patient of every position; no patient is in two folds.
      strata: Class of every position, spread evenly over the folds; None for no classes.
      seed: Seed of the dealing.
      held_out: What the fold is that is held out from training. "test": the test images, and 1/16
        of the other images validate (of five folds: 75 % train, 5 % validate, 20 % test). "split":
        a quarter of it validates and the rest tests (80 %, 5 %, 15 %). "both": its images validate
        and test (80 %, 20 %), so that a choice made on them makes their results too good.

    Source: Juodelyte et al. 2023: "both" is the protocol of the paper, "split" that of their later
    code.
    """
    pool = np.concatenate(list(positions.values()))
    grouping = {
        "patients": patients[pool],
        "strata": None if strata is None else strata[pool],
    }
    fold_of = splits.folds(len(pool), k, seed, **grouping)
    parts = []
    for fold in range(k):
        if held_out == "both":
            held = pool[fold_of == fold]
            parts.append(Part(pool[fold_of != fold], held, held))
            continue
        if held_out == "split":
            shares = {"val": _VAL_OF_FOLD, "test": 1 - _VAL_OF_FOLD}
            split_of = splits.fold(fold_of, fold, shares, seed, **grouping)
        else:
            split_of = _validation_from_training(fold_of != fold, seed, grouping)
        parts.append(Part(*(pool[split_of == split] for split in Part._fields)))
    return parts


def _validation_from_training(
    outside: np.ndarray, seed: int, grouping: Mapping[str, np.ndarray | None]
) -> np.ndarray:
    """Returns the split of every image: images outside the fold are dealt to "train" and "val"."""
    shares = {"train": 1 - VAL_OF_TRAINING, "val": VAL_OF_TRAINING}
    kept = {name: None if values is None else values[outside] for name, values in grouping.items()}
    split_of = np.full(len(outside), "test", "<U5")
    split_of[outside] = splits.deal(int(outside.sum()), shares, seed, **kept)
    return split_of


def labelled(
    part: Part,
    subset: int | None,
    targets: Targets,
    judged: Targets,
    patients: np.ndarray,
    strata: np.ndarray | None,
    seed: int,
) -> Part:
    """Drops unlabelled images, then takes the subset of the training images.

    Args:
      part: All images of a repeat.
      subset: Number of training images to keep; None for all.
      targets: Targets of all positions, to train on.
      judged: Targets of all positions, to evaluate against.
      patients: Patient of every position.
      strata: Class of every position, or None.
      seed: Seed of the subset.

    Raises:
      ConfigError: The subset is larger than the training set.
    """
    train = part.train[targets.weights[part.train].any(1)]
    val, test = (positions[judged.weights[positions].any(1)] for positions in part[1:])
    if subset is not None:
        if subset > len(train):
            raise ConfigError(
                f"config.data.subset={subset}, but there are {len(train)} training images: "
                "choose fewer"
            )
        order = splits.nested(
            len(train),
            seed,
            patients=patients[train],
            strata=None if strata is None else strata[train],
        )
        train = np.sort(train[order[:subset]])
    return Part(train, val, test)


def check_classes(folder: Path, goal: Task, targets: Targets, judged: Targets, part: Part) -> None:
    """Checks that every class can be learned and that something can be measured.

    Args:
      folder: Folder of the data set, for the message.
      goal: The task.
      targets: Targets to train on.
      judged: Targets to evaluate against.
      part: The images.

    Raises:
      DataError: A class has no training image, or no label has both classes in validation.
    """
    for column, label in enumerate(goal.labels):
        counted = part.train[targets.weights[part.train, column] != 0]
        present = set(targets.values[counted, column].round().astype(int).tolist())
        missing = sorted(set(range(goal.classes or 2)) - present)
        if missing:
            raise DataError(
                f"{folder}: no training image has {label} = {', '.join(map(str, missing))}: "
                "choose another split, label or threshold"
            )
    if not any(_measurable(goal, judged, part).values()):
        raise DataError(
            f"{folder}: the validation images hold one class only of {', '.join(goal.labels)}: "
            "no AUC can be computed on them"
        )


def unmeasured(goal: Task, judged: Targets, parts: Sequence[Part]) -> str:
    """Returns sentences that say over how many labels the mean AUC is taken, where some have none.

    Args:
      goal: The task; a "multiclass" one has an AUC per class, that class against all others.
      judged: Targets that predictions are compared with.
      parts: One per fold, or one for all repeats.

    Returns:
      A sentence per part with such labels, or "" where every label has both classes.
    """
    kind = "classes" if goal.kind == "multiclass" else "labels"
    sentences = []
    for fold, part in enumerate(parts):
        measurable = _measurable(goal, judged, part)
        missing = [name for name, both in measurable.items() if not both]
        if missing:
            where = f"In fold {fold + 1} the" if len(parts) > 1 else "The"
            count = f"{len(measurable) - len(missing)} of {len(measurable)} {kind}"
            sentences.append(
                f"{where} AUC is the mean over {count}: {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} left out, since the validation images "
                f"hold one class only of {'it' if len(missing) == 1 else 'them'}."
            )
    return " ".join(sentences)


def _measurable(goal: Task, judged: Targets, part: Part) -> dict[str, bool]:
    """Returns, per label (or class), whether the validation images hold it and its opposite."""
    columns: dict[str, bool] = {}
    for column, label in enumerate(goal.labels):
        counted = part.val[judged.weights[part.val, column] != 0]
        values = judged.values[counted, column].round().astype(int)
        if goal.kind == "multiclass":
            positives = {f"{label} = {c}": values == c for c in range(goal.classes)}
        else:
            positives = {label: values > 0}
        columns |= {
            name: bool(is_positive.any() and not is_positive.all())
            for name, is_positive in positives.items()
        }
    return columns
