"""Splits as pure functions of arrays and a seed: stratified, by patient, or both; folds; nested subsets.

`patients` groups images: a patient is never in two parts. `strata` is a class per image, whose shares are kept in every part. Either
may be left out. By patient and stratified at once cannot be exact: patients are dealt, the largest first, each to the part that is
furthest behind in the classes that the patient has.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int, Shaped

from transfer_jax.core.errors import DataError

Labels = Sequence[str] | Sequence[int] | Shaped[np.ndarray, " n"]


def deal(
    count: int, shares: Mapping[str, float], seed: int = 0, *, patients: Labels | None = None, strata: Labels | None = None
) -> Shaped[np.ndarray, " n"]:
    """Gives every image a split.

    Args:
      count: n, the number of images.
      shares: split -> fraction of the images, adding up to 1.
      seed: of the shuffle.
      patients: whose images stay together.
      strata: classes whose shares are kept.

    Returns:
      The names of the splits, [n].

    Raises:
      DataError: the shares are not positive or do not add up to one, or there are fewer patients than splits.
    """
    check_shares(shares)
    return np.asarray(list(shares))[_parts(count, np.asarray(list(shares.values())), seed, patients, strata, "split")]


def folds(count: int, k: int, seed: int = 0, *, patients: Labels | None = None, strata: Labels | None = None) -> Int[np.ndarray, " n"]:
    """The fold of every image, 0 to k - 1; arguments as in `deal`.

    Raises:
      DataError: fewer than two folds, or fewer patients (images) than folds.
    """
    if k < 2:
        raise DataError(f"{k} folds cannot be made: at least 2")
    return _parts(count, np.full(k, 1 / k), seed, patients, strata, "fold")


def fold(
    number: Int[np.ndarray, " n"],
    held_out: int,
    shares: Mapping[str, float],
    seed: int = 0,
    *,
    patients: Labels | None = None,
    strata: Labels | None = None,
) -> Shaped[np.ndarray, " n"]:
    """Training on all folds but one, and that one dealt by `shares`.

    `{"val": 1.0}` is plain cross-validation; five folds and `{"val": 0.25, "test": 0.75}` are the 80/5/15 of Juodelyte et al.'s later code.

    Args:
      number: fold of every image, from `folds`.
      held_out: the fold that is not trained on.
      shares: of the held-out images.
      seed: of the shuffle within the held-out fold.
      patients: as in `deal`.
      strata: as in `deal`.
    """
    out = number == held_out
    kept = [None if labels is None else np.asarray(labels)[out] for labels in (patients, strata)]
    dealt = deal(int(out.sum()), shares, seed, patients=kept[0], strata=kept[1])
    names = np.full(len(number), "train", dtype=np.result_type(dealt, np.asarray("train")))
    names[out] = dealt
    return names


def nested(count: int, seed: int = 0, *, patients: Labels | None = None, strata: Labels | None = None) -> Int[np.ndarray, " n"]:
    """An order of the images whose every beginning is a fair subset: the 500 are among the 5,000 (Raghu et al.'s small-data study).

    A patient's images are neighbours in it. Arguments as in `deal`; with both, a patient's class is that of most of the patient's images.
    """
    rng = np.random.default_rng(seed)
    group_of, members = groups(count, patients)
    classes = np.zeros(len(members), int)
    if strata is not None:
        codes = np.unique(np.asarray(strata), return_inverse=True)[1]
        classes = np.array([np.bincount(codes[m]).argmax() for m in members])
    place = np.empty(len(members))
    for value in np.unique(classes):
        own = rng.permutation(np.flatnonzero(classes == value))
        place[own] = (np.arange(len(own)) + rng.uniform(size=len(own))) / len(own)
    return np.argsort(place[group_of], kind="stable")


def wen_yap(race: Labels, seed: int = 1126) -> Shaped[np.ndarray, " n"]:
    """The split of Wen & Yap, section 4.4: a tenth for the test, then 70/30 of the rest, stratified by race and blind to patients.

    A patient lands in several parts: it exists to reproduce what they measured, not to be used.
    """
    parts = deal(len(race), {"train": 0.9, "test": 0.1}, seed, strata=race)
    rest = parts == "train"
    parts[rest] = deal(int(rest.sum()), {"train": 0.7, "val": 0.3}, seed, strata=np.asarray(race)[rest])
    return parts


def overlap(patients: Labels, parts: Labels) -> dict[str, list[str]]:
    """Patients that are in several parts -> those parts, both in alphabetical order."""
    names, who = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    places, where = np.unique(np.asarray(parts, dtype=str), return_inverse=True)
    there = np.zeros((len(names), len(places)), bool)
    there[who, where] = True
    return {str(names[i]): places[there[i]].tolist() for i in np.flatnonzero(there.sum(1) > 1)}


def check_shares(shares: Mapping[str, float]) -> None:
    """Checks the shares of splits.

    Raises:
      DataError: they are not positive or do not add up to one.
    """
    if not shares or not abs(sum(shares.values()) - 1) <= 1e-6 or min(shares.values()) <= 0:
        raise DataError(f"shares of the splits must be positive and add up to 1, not {dict(shares)}")


def too_few(count: int, parts: int, what: str, of_patients: bool) -> str:
    """Returns the message that there are fewer patients (or images) than splits or folds."""
    return f"{count} {'patients' if of_patients else 'images'} cannot be dealt to {parts} {what}s"


def groups(count: int, patients: Labels | None) -> tuple[Int[np.ndarray, " n"], list[Int[np.ndarray, " m"]]]:
    """Returns the group of every image, and the images of every group: those of a patient, or single ones."""
    if patients is None or not count:
        return np.arange(count), list(np.arange(count)[:, None])
    codes = np.unique(np.asarray(patients, dtype=str), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    return codes, np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _parts(count: int, shares: np.ndarray, seed: int, patients: Labels | None, strata: Labels | None, what: str) -> Int[np.ndarray, " n"]:
    rng = np.random.default_rng(seed)
    codes = np.zeros(count, int) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    group_of, members = groups(count, patients)
    if len(members) < len(shares):
        raise DataError(too_few(len(members), len(shares), what, patients is not None))
    if patients is None:
        return _stratified(codes, shares, rng)
    content = np.zeros((len(members), codes.max(initial=0) + 1))
    np.add.at(content, (group_of, codes), 1)
    return _grouped(content, shares, rng)[group_of]


def _stratified(codes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Every class cut by the shares; what rounding leaves over goes to the parts that are furthest behind."""
    parts = np.empty(len(codes), int)
    behind = np.zeros(len(shares))
    for value in np.unique(codes):
        own = rng.permutation(np.flatnonzero(codes == value))
        wanted = shares * len(own)
        sizes = np.floor(wanted).astype(int)
        behind += wanted - sizes
        for _ in range(len(own) - sizes.sum()):
            part = int(behind.argmax())
            sizes[part] += 1
            behind[part] -= 1
        parts[own] = np.repeat(np.arange(len(shares)), sizes)
    return parts


def _grouped(content: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> Int[np.ndarray, " g"]:
    """The part of every group; `content` [groups, classes] counts a group's images of each class."""
    wanted = shares[:, None] * np.maximum(content.sum(0), 1)
    filled, parts = np.zeros_like(wanted), np.empty(len(content), int)
    shuffled = rng.permutation(len(content))
    for group in shuffled[np.argsort(-content[shuffled].sum(1), kind="stable")]:
        part = int(((filled / wanted) @ content[group]).argmin())
        filled[part] += content[group]
        parts[group] = part
    return parts
