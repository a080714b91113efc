"""What the papers compare inside a study's networks: each with what it began from, and arms with one another before and after training.

Source: Raghu et al. 2019 ("Transfusion"), figures 2 to 4; Juodelyte et al. 2023, figures 3 and 6.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from transfer_jax.analysis import layerwise
from transfer_jax.analysis.cca import CCA
from transfer_jax.analysis.layerwise import Mean
from transfer_jax.settings import Study

TRAINING, BEFORE, AFTER = "training", "before", "after"
TOP = 2  # stages that figure 2 averages


class Pair(NamedTuple):
    """Two networks that are compared.

    Attributes:
      what: TRAINING: a member before and after its training; BEFORE or AFTER: two members then.
      arm_a: of the first.
      repeat_a: of the first.
      arm_b: of the second.
      repeat_b: of the second.
    """

    what: str
    arm_a: str
    repeat_a: int
    arm_b: str
    repeat_b: int


class Likeness(NamedTuple):
    """One stage of a pair of networks, and what was found."""

    pair: Pair
    stage: str
    found: Mean


def pairs(study: Study) -> list[Pair]:
    """Every member with itself; every arm with the first one, member by member of another repeat.

    Members of two repeats share neither their first draw nor their batches. A study of one repeat compares arms within it.
    """
    arms, repeats = [arm.name for arm in study.arms], range(study.repeats)
    made = [Pair(TRAINING, arm, r, arm, r) for arm in arms for r in repeats]
    for what in (BEFORE, AFTER):
        for arm in arms:
            between = list(itertools.combinations(repeats, 2)) or ([(0, 0)] if arm != arms[0] else [])
            made += [Pair(what, arm, i, arms[0], j) for i, j in between]
    return made


Compare = Callable[[int, Any, Any], Mapping[str, Sequence[CCA]]]


def compare(study: Study, probe: Compare, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Likeness]:
    """Compares all `pairs`.

    Args:
      study: they are of.
      probe: (repeat that says which images, variables, variables) -> stage -> what is found; nothing where they cannot be compared.
      before: Member -> variables.
      after: Member -> variables; pairs of which a trained member is not there (it diverged) are left out.
    """
    name = {(arm.name, repeat): arm.member(repeat) for arm in study.arms for repeat in range(study.repeats)}
    made: list[Likeness] = []
    for pair in tqdm(pairs(study), desc="comparing", unit="pair", disable=None, leave=False):
        first, second = name[pair.arm_a, pair.repeat_a], name[pair.arm_b, pair.repeat_b]
        ours, theirs = (after if pair.what == AFTER else before), (before if pair.what == BEFORE else after)
        if first not in ours or second not in theirs:
            continue
        found = probe(pair.repeat_a, ours[first], theirs[second])
        made += [Likeness(pair, stage, layerwise.mean_of(each)) for stage, each in found.items()]
    return made


def to_rows(likenesses: Sequence[Likeness]) -> list[dict[str, Any]]:
    """As rows of similarity.csv."""
    made = []
    for pair, stage, found in likenesses:
        *numbers, rank_a, rank_b = found
        values = dict(zip(Mean._fields, numbers, strict=False)) | {"rank_a": rank_a, "rank_b": rank_b}
        made.append(pair._asdict() | {"stage": stage} | values)
    return made


def stages(likenesses: Sequence[Likeness]) -> list[str]:
    """Their names, in order."""
    return list(dict.fromkeys(each.stage for each in likenesses))


def curves(likenesses: Sequence[Likeness], what: str) -> dict[tuple[str, str], list[dict[str, float]]]:
    """(arm, arm) -> for each pair of them, stage -> mean canonical correlation."""
    made: dict[tuple[str, str], dict[Pair, dict[str, float]]] = {}
    for each in likenesses:
        if each.pair.what == what:
            made.setdefault((each.pair.arm_a, each.pair.arm_b), {}).setdefault(each.pair, {})[each.stage] = each.found.mean
    return {arms: list(found.values()) for arms, found in made.items()}


def chance(likenesses: Sequence[Likeness]) -> dict[str, float]:
    """Stage -> mean chance level."""
    return {stage: float(np.mean([each.found.chance for each in likenesses if each.stage == stage])) for stage in stages(likenesses)}


def top(likenesses: Sequence[Likeness]) -> dict[tuple[str, str], list[float]]:
    """(arm, arm) -> for each pair of trained networks, the mean over the last two stages (figure 2 of "Transfusion")."""
    last = stages(likenesses)[-TOP:]
    return {arms: [float(np.mean([of[stage] for stage in last])) for of in found] for arms, found in curves(likenesses, AFTER).items()}


def before_and_after(likenesses: Sequence[Likeness]) -> dict[str, dict[tuple[str, str], list[tuple[float, float]]]]:
    """Stage -> (arm, arm) -> (similarity before training, after it) of each pair of networks (figure 4 of "Transfusion")."""
    made: dict[str, dict[tuple[str, str], list[tuple[float, float]]]] = {}
    for stage, first, second in _twice(likenesses):
        made.setdefault(stage, {}).setdefault((first.pair.arm_a, first.pair.arm_b), []).append((first.found.mean, second.found.mean))
    return made


def _twice(likenesses: Sequence[Likeness]) -> Iterator[tuple[str, Likeness, Likeness]]:
    """Every stage of every pair, before and after training."""
    trained = {(each.pair[1:], each.stage): each for each in likenesses if each.pair.what == AFTER}
    for each in likenesses:
        if each.pair.what == BEFORE and (each.pair[1:], each.stage) in trained:
            yield each.stage, each, trained[each.pair[1:], each.stage]


class Gain(NamedTuple):
    """A member, for figure 6 of Juodelyte et al.

    Attributes:
      label: its arm, or its study.
      similarity: stage -> mean canonical correlation of the member before and after training.
      gain: of its AUC over the first arm's in the same repeat, relative to that.
    """

    label: str
    similarity: dict[str, float]
    gain: float


def gains(rows: Sequence[Mapping[str, Any]], similarities: Sequence[Mapping[str, Any]]) -> list[Gain]:
    """Returns the members of every arm but the first, from the rows of results.csv and similarity.csv.

    Members without a final AUC, or whose partner in the first arm has none, are left out.
    """
    first = rows[0]["arm"]
    level = {int(row["repeat"]): float(row["final_auc"]) for row in rows if row["arm"] == first}
    moved: dict[tuple[str, int], dict[str, float]] = {}
    for row in similarities:
        if row["what"] == TRAINING:
            moved.setdefault((row["arm_a"], int(row["repeat_a"])), {})[row["stage"]] = float(row["mean"])
    made = []
    for row in rows:
        repeat = int(row["repeat"])
        gain = float(row["final_auc"]) / level[repeat] - 1
        if row["arm"] != first and (row["arm"], repeat) in moved and math.isfinite(gain):
            made.append(Gain(row["arm"], moved[row["arm"], repeat], gain))
    return made
