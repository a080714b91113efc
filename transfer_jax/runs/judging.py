"""Scores as they are judged: from stored predictions, with thresholds, per image or per study."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from transfer_jax.core.errors import ConfigError
from transfer_jax.metrics import thresholds
from transfer_jax.metrics.scored import Scored
from transfer_jax.metrics.scored import indicators as indicators_of
from transfer_jax.runs import layout, predictions
from transfer_jax.runs.predictions import Predictions
from transfer_jax.runs.record import DataFacts
from transfer_jax.settings import Evaluation, Study

# Test images first: they are what a result is.
SPLITS = ("test", "val")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """How predictions are turned into metrics.

    Attributes:
      kind: "binary", "multilabel" or "multiclass".
      metrics: Names of metrics.
      referable: "multiclass" only: the binary metrics judge the sum of the probabilities of the
        classes from this one on; None judges every class against the others.
      settings: Threshold, groups, and whether studies are judged instead of images.
    """

    kind: str
    metrics: tuple[str, ...]
    referable: int | None
    settings: Evaluation

    @classmethod
    def of(cls, study: Study, data: DataFacts) -> Rule:
        """Returns how a study judges its members."""
        return cls(
            kind=data.task,
            metrics=study.evaluated_metrics,
            referable=study.data.referable,
            settings=study.evaluation,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judged:
    """Scores with the facts of their images; a study counts as an image where studies are judged.

    Attributes:
      scored: The scores, with thresholds.
      patients: Patient of every row, [n].
      columns: Kept column -> text of every row, [n].
    """

    scored: Scored
    patients: Shaped[np.ndarray, " n"]
    columns: dict[str, Shaped[np.ndarray, " n"]]


class Stored(NamedTuple):
    """What a member predicted for a split by one kind of weights.

    Attributes:
      arm: Name of its arm.
      repeat: Its repeat.
      split: "test" or "val".
      take: "last" or "best".
      judged: The scores.
    """

    arm: str
    repeat: int
    split: str
    take: str
    judged: Judged


def of_run(folder: Path, study: Study, rule: Rule) -> list[Stored]:
    """Returns everything that the members of a study predicted, repeat by repeat.

    Raises:
      ConfigError: A table of predictions is damaged.
    """
    return [
        Stored(arm.name, repeat, split, take, judged)
        for repeat in range(study.repeats)
        for arm in study.arms
        for split, take, judged in _of_member(folder, arm.member(repeat), rule)
    ]


def _of_member(folder: Path, member: str, rule: Rule) -> Iterator[tuple[str, str, Judged]]:
    for take in layout.WEIGHTS:
        read = functools.partial(layout.predictions, folder, member, take=take)
        paths = {split: read(split=split) for split in SPLITS}
        tables = {split: predictions.read(path) for split, path in paths.items() if path.exists()}
        judged = {split: judge(table, rule) for split, table in tables.items()}
        validation = judged["val"].scored if "val" in judged else None
        for split, one in judged.items():
            yield split, take, with_thresholds(one, rule, validation)


def judge(table: Predictions, rule: Rule) -> Judged:
    """Returns scores from a table of predictions, with thresholds of probability 0.5.

    Raises:
      ConfigError: The rule does not fit the kind of task.
    """
    rule.settings.check(rule.kind)
    images, exclusive = table.images, rule.kind == "multiclass"
    log_odds = table.log_odds.astype(np.float64)
    indicators, mask = indicators_of(images.targets, images.mask, log_odds.shape[1], exclusive)
    patients, columns = images.patients, dict(images.columns)
    if rule.settings.per_study:
        first, row_of = _studies(images.studies, patients)
        log_odds = _highest(log_odds, row_of, len(first))
        indicators = _highest(np.where(mask, indicators, -np.inf), row_of, len(first))
        mask = np.isfinite(indicators)
        indicators = np.where(mask, indicators, 0.0)
        patients = patients[first]
        columns = {name: values[first] for name, values in columns.items()}
    scored = Scored(
        log_odds=log_odds,
        indicators=indicators,
        mask=mask,
        outputs=table.outputs,
        exclusive=exclusive,
    )
    return Judged(scored=scored, patients=patients, columns=columns)


def _studies(
    studies: np.ndarray, patients: Shaped[np.ndarray, " n"]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first row of every study, and the study of every row, numbered.

    A study is a patient's: two patients may have a "study1" each.
    """
    names = np.char.add(np.char.add(patients.astype(str), "\n"), studies.astype(str))
    _, first, row_of = np.unique(names, return_index=True, return_inverse=True)
    return first, row_of


def _highest(values: np.ndarray, row_of: np.ndarray, count: int) -> np.ndarray:
    highest = np.full((count, values.shape[1]), -np.inf)
    np.maximum.at(highest, row_of, values)
    return highest


def with_thresholds(judged: Judged, rule: Rule, validation: Scored | None) -> Judged:
    """Returns scores with the thresholds of the rule.

    Args:
      judged: The scores.
      rule: How they are judged.
      validation: Scores of the validation images by the same weights.

    Raises:
      ConfigError: Thresholds are to be chosen on validation images, and there are none.
    """
    kind = rule.settings.threshold
    if kind == "half" or rule.kind == "multiclass":
        return judged
    chosen_on = judged.scored if kind == "youden" else validation
    if chosen_on is None:
        raise ConfigError(
            "evaluation.threshold='validation' needs predictions of validation images, and there "
            "are none: choose 'half' or 'youden'"
        )
    chosen = thresholds.youden(chosen_on)
    scored = dataclasses.replace(judged.scored, thresholds=chosen)
    return dataclasses.replace(judged, scored=scored)
