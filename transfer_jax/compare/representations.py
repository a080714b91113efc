"""Similarities inside a study: each network before and after training, and arms with each other.

Source: Raghu et al. 2019 ("Transfusion"), figures 2 to 4; Juodelyte et al. 2023, figures 3 and 6.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from transfer_jax.analysis import layerwise
from transfer_jax.analysis.result import CCA, Mean
from transfer_jax.runs import tables
from transfer_jax.settings import Study

TRAINING, BEFORE, AFTER = "training", "before", "after"
TOP = 2  # stages that figure 2 averages


class Pair(NamedTuple):
    """Two networks that are compared.

    Attributes:
      what: TRAINING (a member before and after its training), or BEFORE or AFTER (two members
        before or after theirs).
      arm_a: Arm of the first network.
      repeat_a: Repeat of the first network.
      arm_b: Arm of the second network.
      repeat_b: Repeat of the second network.
    """

    what: str
    arm_a: str
    repeat_a: int
    arm_b: str
    repeat_b: int


class Likeness(NamedTuple):
    """Similarity of one stage of a pair of networks.

    Attributes:
      pair: The networks.
      measure: Name of the measure of similarity.
      weights: Which weights of the trained networks were compared, "last" or "best".
      stage: Name of the stage.
      similarity: The comparison, averaged over its draws.
    """

    pair: Pair
    measure: str
    weights: str
    stage: str
    similarity: Mean


def pairs(study: Study) -> list[Pair]:
    """Returns the pairs to compare.

    Every member with itself before training; every arm with the first one, members of different
    repeats, which share neither their first draw nor their batches. A study of one repeat compares
    its arms within the repeat.
    """
    arms, repeats = [arm.name for arm in study.arms], range(study.repeats)
    compared = [Pair(TRAINING, arm, r, arm, r) for arm in arms for r in repeats]
    for what in (BEFORE, AFTER):
        for arm in arms:
            between = list(itertools.combinations(repeats, 2))
            between = between or ([(0, 0)] if arm != arms[0] else [])
            compared += [Pair(what, arm, i, arms[0], j) for i, j in between]
    return compared


Compare = Callable[[int, Any, Any], Mapping[str, Sequence[CCA | Mean]]]


def compare(
    study: Study, probe: Compare, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Likeness]:
    """Compares all `pairs` of a study.

    Args:
      study: The study.
      probe: (repeat whose images are used, variables, variables) -> stage -> comparisons; nothing
        where the two cannot be compared.
      before: Member -> its first variables.
      after: Member -> its trained variables, those that `study.similarity.weights` names; pairs
        with a trained member that is missing (it diverged) are left out.
    """
    names = {
        (arm.name, repeat): arm.member(repeat)
        for arm in study.arms
        for repeat in range(study.repeats)
    }
    options = study.similarity
    likenesses: list[Likeness] = []
    for pair in tqdm(pairs(study), desc="comparing", unit="pair", disable=None, leave=False):
        first, second = names[pair.arm_a, pair.repeat_a], names[pair.arm_b, pair.repeat_b]
        first_variables = after if pair.what == AFTER else before
        second_variables = before if pair.what == BEFORE else after
        if first not in first_variables or second not in second_variables:
            continue
        comparisons = probe(pair.repeat_a, first_variables[first], second_variables[second])
        likenesses += [
            Likeness(pair, options.measure, options.weights, stage, layerwise.mean_of(draws))
            for stage, draws in comparisons.items()
        ]
    return likenesses


_OF_LIKENESS = ("measure", "weights", "stage")
_COLUMNS = ("mean", "mean_trimmed", "chance", "n", "rank_a", "rank_b")
_TYPES = {
    "what": str, "arm_a": str, "repeat_a": int, "arm_b": str, "repeat_b": int,
    "measure": str, "weights": str, "stage": str, "n": int, "rank_a": int, "rank_b": int,
}  # fmt: skip


def to_rows(likenesses: Sequence[Likeness]) -> list[dict[str, Any]]:
    """Returns the rows of similarity.csv."""
    return [
        likeness.pair._asdict()
        | {name: getattr(likeness, name) for name in _OF_LIKENESS}
        | dict(zip(_COLUMNS, likeness.similarity, strict=True))
        for likeness in likenesses
    ]


def from_csv(path: Path) -> list[Likeness]:
    """Reads similarity.csv; raises ConfigError where it cannot be read."""
    rows = tables.from_csv(path, _TYPES, (*Pair._fields, *_OF_LIKENESS, *_COLUMNS))
    return [
        Likeness(
            Pair(*(row[field] for field in Pair._fields)),
            row["measure"],
            row["weights"],
            row["stage"],
            Mean(*(row[column] for column in _COLUMNS)),
        )
        for row in rows
    ]


def stages(likenesses: Sequence[Likeness]) -> list[str]:
    """Returns the names of the stages, in order."""
    return list(dict.fromkeys(likeness.stage for likeness in likenesses))


def curves(
    likenesses: Sequence[Likeness], what: str
) -> dict[tuple[str, str], list[dict[str, float]]]:
    """Returns (arm, arm) -> per pair of their networks, stage -> similarity."""
    by_arms: dict[tuple[str, str], dict[Pair, dict[str, float]]] = {}
    for likeness in likenesses:
        pair = likeness.pair
        if pair.what == what:
            of_arms = by_arms.setdefault((pair.arm_a, pair.arm_b), {})
            of_arms.setdefault(pair, {})[likeness.stage] = likeness.similarity.mean
    return {arms: list(of_pairs.values()) for arms, of_pairs in by_arms.items()}


def chance(likenesses: Sequence[Likeness]) -> dict[str, float]:
    """Returns stage -> mean chance level."""
    levels: dict[str, list[float]] = {}
    for likeness in likenesses:
        levels.setdefault(likeness.stage, []).append(likeness.similarity.chance)
    return {stage: float(np.mean(values)) for stage, values in levels.items()}


def top(likenesses: Sequence[Likeness]) -> dict[tuple[str, str], list[float]]:
    """Returns (arm, arm) -> per pair of trained networks, the mean over the last two stages.

    Source: "Transfusion", figure 2.
    """
    last = stages(likenesses)[-TOP:]
    return {
        arms: [float(np.mean([by_stage[stage] for stage in last])) for by_stage in of_pairs]
        for arms, of_pairs in curves(likenesses, AFTER).items()
    }


def before_and_after(
    likenesses: Sequence[Likeness],
) -> dict[str, dict[tuple[str, str], list[tuple[float, float]]]]:
    """Returns stage -> (arm, arm) -> (similarity before, after training) per pair of networks.

    Source: "Transfusion", figure 4.
    """
    points: dict[str, dict[tuple[str, str], list[tuple[float, float]]]] = {}
    for before, after in _before_with_after(likenesses):
        arms = before.pair.arm_a, before.pair.arm_b
        of_arms = points.setdefault(before.stage, {}).setdefault(arms, [])
        of_arms.append((before.similarity.mean, after.similarity.mean))
    return points


def _before_with_after(likenesses: Sequence[Likeness]) -> Iterator[tuple[Likeness, Likeness]]:
    """Yields every stage of every pair before its training, with the same after it."""
    trained = {
        (likeness.pair._replace(what=BEFORE), likeness.stage): likeness
        for likeness in likenesses
        if likeness.pair.what == AFTER
    }
    for likeness in likenesses:
        after = trained.get((likeness.pair, likeness.stage))
        if after is not None:
            yield likeness, after
