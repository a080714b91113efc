"""Agreement of a study's members with those of its first arm, from their stored predictions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from transfer_jax.analysis import agreement
from transfer_jax.analysis.agreement import Agreement
from transfer_jax.core.errors import AnalysisError
from transfer_jax.runs import layout, predictions, tables
from transfer_jax.runs.predictions import Predictions
from transfer_jax.runs.record import DataFacts
from transfer_jax.settings import Study


class Agreed(NamedTuple):
    """How a member and the member of the first arm in the same repeat agree on a label.

    Attributes:
      arm: Arm of the member.
      repeat: Repeat of both.
      weights: Which weights of both were compared, "last" or "best".
      label: Name of the label.
      agreement: Their agreement.
    """

    arm: str
    repeat: int
    weights: str
    label: str
    agreement: Agreement


def compare(study: Study, data: DataFacts, folder: Path) -> list[Agreed]:
    """Compares the predictions of every arm with those of the first, repeat by repeat.

    Test images are compared where the set has some, otherwise validation images, by the weights
    that `study.similarity.weights` names. Members without predictions (they diverged) are left out.

    Args:
      study: The study.
      data: Facts of its data.
      folder: Its folder, which holds the predictions.
    """
    first, *others = study.arms
    take = study.similarity.weights
    agreements: list[Agreed] = []
    for repeat in range(study.repeats if others else 0):
        reference = _read(folder, first.member(repeat), data, take)
        for arm in others:
            table = _read(folder, arm.member(repeat), data, take)
            if table is None or reference is None:
                continue
            pairs = zip(data.labels, _compare(data.task, table, reference), strict=False)
            agreements += [Agreed(arm.name, repeat, take, label, pair) for label, pair in pairs]
    return agreements


def _read(folder: Path, member: str, data: DataFacts, take: str) -> Predictions | None:
    """Returns what a member predicts; None where it left no predictions."""
    split = "test" if data.test else "val"
    path = layout.predictions(folder, member, split, take)
    return predictions.read(path) if path.exists() else None


def _compare(kind: str, one: Predictions, other: Predictions) -> tuple[Agreement, ...]:
    first, second = (special.expit(each.log_odds.astype(np.float64)) for each in (one, other))
    images = one.images
    try:
        return agreement.compare(kind, first, second, images.targets, images.mask)
    except AnalysisError as error:
        logging.warning("predictions are not compared: %s", error)
        return ()


def to_rows(agreements: Sequence[Agreed]) -> list[dict[str, Any]]:
    """Returns the rows of agreement.csv."""
    return [
        {"arm": arm, "repeat": repeat, "weights": take, "label": label, **pair._asdict()}
        for arm, repeat, take, label, pair in agreements
    ]


def from_csv(path: Path) -> list[Agreed]:
    """Reads agreement.csv; raises ConfigError where it cannot be read."""
    types = {"arm": str, "repeat": int, "weights": str, "label": str, "images": int}
    rows = tables.from_csv(path, types, ("arm", "repeat", "weights", "label", *Agreement._fields))
    return [
        Agreed(
            row["arm"],
            row["repeat"],
            row["weights"],
            row["label"],
            Agreement(*(row[field] for field in Agreement._fields)),
        )
        for row in rows
    ]
